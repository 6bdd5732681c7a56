#include "tests/unit/src/tls/raw_peer.h"

#include <doctest/doctest.h>
#include <openssl/err.h>

#include <array>

namespace pgring::test {
namespace {

// Chooses its own whatever was offered, as no honest server does.
int choose(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char*,
           unsigned int, void* wanted) {
  const auto& text = *static_cast<const std::string*>(wanted);
  if (text.empty()) return SSL_TLSEXT_ERR_NOACK;
  *chosen = reinterpret_cast<const unsigned char*>(text.data()) + 1;
  *size = static_cast<unsigned char>(text.size() - 1);
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

RawPeer::RawPeer(Role role, const Authority& authority, int version, const char* alpn)
    : context_{SSL_CTX_new(TLS_method())} {
  if (alpn != nullptr) alpn_ = static_cast<char>(std::string_view{alpn}.size()) + std::string{alpn};
  REQUIRE(SSL_CTX_set_min_proto_version(context_.get(), version) == 1);
  REQUIRE(SSL_CTX_set_max_proto_version(context_.get(), version) == 1);
  if (role == Role::server) {
    const TlsOptions options = authority.for_clients();
    REQUIRE(SSL_CTX_use_certificate_chain_file(context_.get(), options.cert_file.c_str()) == 1);
    REQUIRE(SSL_CTX_use_PrivateKey_file(context_.get(), options.key_file.c_str(),
                                        SSL_FILETYPE_PEM) == 1);
    SSL_CTX_set_alpn_select_cb(context_.get(), choose, &alpn_);
  } else if (!alpn_.empty()) {
    REQUIRE(SSL_CTX_set_alpn_protos(context_.get(),
                                    reinterpret_cast<const unsigned char*>(alpn_.data()),
                                    static_cast<unsigned>(alpn_.size())) == 0);
  }
  ssl_.reset(SSL_new(context_.get()));
  incoming_ = BIO_new(BIO_s_mem());
  outgoing_ = BIO_new(BIO_s_mem());
  SSL_set_bio(ssl_.get(), incoming_, outgoing_);
  role == Role::server ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
}

void RawPeer::note_error() {
  if (const unsigned long code = ERR_get_error(); code != 0) last_error_ = ERR_GET_REASON(code);
  ERR_clear_error();
}

void RawPeer::shake_hands(TlsEngine& engine) {
  for (int round = 0; round < 10; ++round) {
    ERR_clear_error();
    (void)SSL_do_handshake(ssl_.get());
    note_error();
    CHECK(exchange(engine).empty());
  }
}

std::string RawPeer::exchange(TlsEngine& engine) {
  std::string plain;
  for (int round = 0; round < 4; ++round) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(outgoing_, &data);
    plain += fed(engine, {data, static_cast<std::size_t>(size)}, 100000);
    REQUIRE(BIO_reset(outgoing_) == 1);
    const std::string answer = drained(engine);
    if (!answer.empty()) CHECK(receive(answer).empty());
  }
  return plain;
}

void RawPeer::write(std::string_view plain) {
  REQUIRE(SSL_write(ssl_.get(), plain.data(), static_cast<int>(plain.size())) ==
          static_cast<int>(plain.size()));
}

std::string RawPeer::receive(std::string_view cipher) {
  if (!cipher.empty()) {
    REQUIRE(BIO_write(incoming_, cipher.data(), static_cast<int>(cipher.size())) ==
            static_cast<int>(cipher.size()));
  }
  std::string plain;
  std::array<char, 20000> some{};
  ERR_clear_error();
  for (;;) {
    const int count = SSL_read(ssl_.get(), some.data(), static_cast<int>(some.size()));
    if (count <= 0) break;
    plain.append(some.data(), static_cast<std::size_t>(count));
  }
  note_error();
  return plain;
}

void RawPeer::renegotiate() {
  REQUIRE(SSL_renegotiate(ssl_.get()) == 1);
  (void)SSL_do_handshake(ssl_.get());
  note_error();
}

void RawPeer::update_key(bool answer_wanted) {
  REQUIRE(SSL_key_update(ssl_.get(), answer_wanted ? SSL_KEY_UPDATE_REQUESTED
                                                   : SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
  REQUIRE(SSL_do_handshake(ssl_.get()) == 1);
}

void RawPeer::resume(const RawPeer& earlier) {
  REQUIRE(SSL_set_session(ssl_.get(), SSL_get0_session(earlier.ssl_.get())) == 1);
}

bool RawPeer::has_ticket() const {
  const SSL_SESSION* const session = SSL_get0_session(ssl_.get());
  return SSL_SESSION_has_ticket(session) == 1 ||
         (SSL_version(ssl_.get()) == TLS1_3_VERSION && SSL_SESSION_is_resumable(session) == 1);
}

}  // namespace pgring::test
