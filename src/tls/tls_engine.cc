#include "src/tls/tls_engine.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "src/base/check.h"
#include "src/tls/alpn.h"
#include "src/tls/engine_bio.h"
#include "src/tls/host_check.h"
#include "src/tls/tls_reason.h"

namespace pgring {
namespace {

// Failures whose cause is that the sides have no version in common, as PostgreSQL lists them.
bool tells_of_versions(unsigned long code) {
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return false;
  switch (ERR_GET_REASON(code)) {
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_BAD_PROTOCOL_VERSION_NUMBER:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_UNKNOWN_SSL_VERSION:
    case SSL_R_UNSUPPORTED_SSL_VERSION:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_VERSION_TOO_LOW:
      return true;
    default:
      return false;
  }
}

// SSL_get_error(3) wants the error queue empty before the call. It is, unless somebody else's use of OpenSSL left
// something; clearing costs 40 ns even so, looking next to nothing.
void begin_call() {
  if (ERR_peek_error() != 0) ERR_clear_error();
}

std::string_view name_of(TlsVersion version) {
  return version == TlsVersion::tls1_2 ? "TLSv1.2" : "TLSv1.3";
}

}  // namespace

TlsEngine::TlsEngine(std::shared_ptr<const TlsContext> context, std::string host, Start start)
    : context_{std::move(context)}, host_{std::move(host)}, start_{start} {
  ERR_clear_error();
  ssl_ = SSL_new(context_->handle());
  POOLER_CHECK(ssl_ != nullptr);
  attach_bio(*this, ssl_);
}

TlsEngine::~TlsEngine() { SSL_free(ssl_); }

std::unique_ptr<TlsEngine> TlsEngine::accept(std::shared_ptr<const TlsContext> context,
                                             Start start) {
  POOLER_CHECK(context->side() == TlsSide::to_clients);
  std::unique_ptr<TlsEngine> engine{new TlsEngine{std::move(context), {}, start}};
  SSL_set_accept_state(engine->ssl_);
  return engine;
}

std::unique_ptr<TlsEngine> TlsEngine::connect(std::shared_ptr<const TlsContext> context,
                                              std::string host, Start start) {
  POOLER_CHECK(context->side() == TlsSide::to_servers);
  std::unique_ptr<TlsEngine> engine{new TlsEngine{std::move(context), std::move(host), start}};
  SSL_set_connect_state(engine->ssl_);
  // What SSL_set_tlsext_host_name stands for, a macro with a C cast.
  if (is_server_name(engine->host_) &&
      SSL_ctrl(engine->ssl_, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
               engine->host_.data()) != 1) {
    engine->fail("could not set SSL Server Name Indication (SNI): " + take_openssl_reason());
    return engine;
  }
  engine->handshake_step();
  return engine;
}

TlsEngine::Received TlsEngine::receive(std::span<const std::byte> input,
                                       std::span<std::byte> plain) {
  input_ = input;
  input_size_ = input.size();
  Received done;
  begin_call();
  if (state_ == State::handshaking) {
    handshake_bytes_ += input.size();
    // What a peer may send to no end before it has proved anything.
    if (handshake_bytes_ > handshake_bytes_max) {
      fail("SSL handshake is too long");
    } else {
      handshake_step();
    }
  }
  const bool in_place = !input.empty() && plain.data() == input.data();
  if (may_read()) fill(plain, in_place, done);
  // Nothing that comes now means anything.
  if (!may_read() && state_ != State::handshaking) input_ = {};
  done.consumed = consumed();
  done.more = may_read() && (!input_.empty() || SSL_pending(ssl_) > 0);
  input_ = {};
  input_size_ = 0;
  return done;
}

// Reads records until the input or the room is used up.
void TlsEngine::fill(std::span<std::byte> plain, bool in_place, Received& done) {
  std::uint32_t control = 0;
  for (;;) {
    std::size_t room = plain.size() - done.plain;
    if (in_place && carries_) {
      // The next plaintext may be longer than what was read of it here: it can come from an earlier buffer. Have
      // OpenSSL decrypt it, so that its ciphertext is read, and see how much room that made.
      std::byte first{};
      std::size_t count = 0;
      const Read outcome = read({&first, 1}, true, count);
      if (outcome == Read::end) return;
      room = std::min(room, consumed() - done.plain);
      if (outcome == Read::nothing) room = 0;
      if (outcome == Read::nothing && !input_.empty() && ++control <= control_max) continue;
    }
    if (control > control_max) return fail("too many SSL records without data");
    if (room == 0) return;
    std::size_t count = 0;
    const Read outcome = read(plain.subspan(done.plain, room), false, count);
    done.plain += count;
    if (outcome == Read::end) return;
    if (outcome == Read::data) {
      carries_ = SSL_pending(ssl_) > 0;
      if (!carries_ && input_.empty()) return;  // spares OpenSSL the look for a next record
      continue;
    }
    carries_ = true;
    if (input_.empty()) return;
    ++control;
  }
}

TlsEngine::Read TlsEngine::read(std::span<std::byte> plain, bool peek, std::size_t& count) {
  const int outcome = peek ? SSL_peek_ex(ssl_, plain.data(), plain.size(), &count)
                           : SSL_read_ex(ssl_, plain.data(), plain.size(), &count);
  if (outcome == 1) return Read::data;
  count = 0;
  switch (SSL_get_error(ssl_, outcome)) {
    case SSL_ERROR_WANT_READ:  // the input is used up, or this record was not data
      return Read::nothing;
    case SSL_ERROR_ZERO_RETURN:
      peer_closed_ = true;
      state_ = close_sent_ ? State::closed : State::closing;
      return Read::end;
    default:
      fail_by_openssl(outcome);
      return Read::end;
  }
}

void TlsEngine::handshake_step() {
  const int outcome = SSL_do_handshake(ssl_);
  if (outcome == 1) return handshake_done();
  if (SSL_get_error(ssl_, outcome) != SSL_ERROR_WANT_READ) fail_by_openssl(outcome);
}

// The peers agree on keys; does the other one have the right to be it?
void TlsEngine::handshake_done() {
  const bool to_server = context_->side() == TlsSide::to_servers;
  const unsigned char* chosen = nullptr;
  unsigned int chosen_size = 0;
  SSL_get0_alpn_selected(ssl_, &chosen, &chosen_size);
  const std::string_view protocol{reinterpret_cast<const char*>(chosen), chosen_size};
  if (start_ == Start::direct && protocol.empty()) {
    return fail(to_server
                    ? "direct SSL connection was established without ALPN protocol negotiation "
                      "extension"
                    : "received direct SSL connection request without ALPN protocol negotiation "
                      "extension");
  }
  if (!protocol.empty() && protocol != alpn::name)
    return fail("SSL connection was established with unexpected ALPN protocol");
  if (to_server) {
    const X509* const certificate = SSL_get0_peer_certificate(ssl_);
    if (certificate == nullptr) return fail("certificate could not be obtained");
    // That it is a trusted one was seen before: SSL_VERIFY_PEER would have ended the handshake.
    std::string mismatch;
    if (context_->options().mode == TlsMode::verify_full)
      mismatch = host_mismatch(certificate, host_);
    if (!mismatch.empty()) return fail(std::move(mismatch));
  }
  host_ = std::string{};
  state_ = State::open;
}

TlsEngine::Sent TlsEngine::send(std::span<const iovec> ranges, std::span<std::byte> cipher,
                                TlsScratch& scratch) {
  POOLER_CHECK(cipher.size() > record_overhead_max);
  Sent done;
  done.cipher = drain(cipher);
  const bool may_send = state_ == State::open || (state_ == State::closing && !close_sent_);
  if (!may_send || wants_write()) return done;
  begin_call();
  std::size_t index = 0;
  std::size_t offset = 0;
  while (index < ranges.size() && cipher.size() - done.cipher > record_overhead_max) {
    const std::size_t limit =
        std::min(record_plain_max, cipher.size() - done.cipher - record_overhead_max);
    const auto* data = static_cast<const std::byte*>(ranges[index].iov_base) + offset;
    std::size_t size = std::min(ranges[index].iov_len - offset, limit);
    offset += size;
    if (offset == ranges[index].iov_len) ++index, offset = 0;
    // A range that ends within the record shares it with those behind it.
    if (size < limit && index < ranges.size()) {
      std::memcpy(scratch.bytes.data(), data, size);
      while (size < limit && index < ranges.size()) {
        const std::size_t part = std::min(ranges[index].iov_len - offset, limit - size);
        std::memcpy(scratch.bytes.data() + size,
                    static_cast<const std::byte*>(ranges[index].iov_base) + offset, part);
        size += part;
        offset += part;
        if (offset == ranges[index].iov_len) ++index, offset = 0;
      }
      data = scratch.bytes.data();
    }
    if (size == 0) continue;
    output_ = cipher.subspan(done.cipher);
    std::size_t written = 0;
    const int outcome = SSL_write_ex(ssl_, data, size, &written);
    done.cipher = cipher.size() - output_.size();
    output_ = {};
    if (outcome != 1) {
      fail_by_openssl(outcome);
      break;
    }
    // Nothing makes OpenSSL write less: the record has room, and where not, waiting_ has.
    POOLER_CHECK(written == size);
    done.taken += size;
    if (wants_write()) break;
  }
  return done;
}

std::size_t TlsEngine::drain(std::span<std::byte> cipher) {
  const std::size_t size = std::min(cipher.size(), waiting_.size() - drained_);
  if (size == 0) return 0;
  std::memcpy(cipher.data(), waiting_.data() + drained_, size);
  drained_ += size;
  if (drained_ == waiting_.size()) {
    waiting_ = {};
    drained_ = 0;
  }
  return size;
}

void TlsEngine::close() {
  if (state_ == State::handshaking) state_ = State::closed;  // there is no session to end
  if (close_sent_ || (state_ != State::open && state_ != State::closing)) return;
  ERR_clear_error();
  close_sent_ = true;
  const int outcome = SSL_shutdown(ssl_);
  if (outcome < 0) return fail_by_openssl(outcome);
  state_ = peer_closed_ ? State::closed : State::closing;
}

bool TlsEngine::release_buffers() {
  if (SSL_in_init(ssl_) == 1 || SSL_has_pending(ssl_) == 1) return false;
  return SSL_free_buffers(ssl_) == 1;
}

void TlsEngine::fail(std::string what) {
  state_ = State::failed;
  failure_ = std::move(what);
  ERR_clear_error();
}

void TlsEngine::fail_by_openssl(int outcome) {
  const unsigned long code = ERR_peek_error();
  version_mismatch_ = tells_of_versions(code);
  // OpenSSL queues no error where the connection was already broken.
  const std::string reason = code == 0
                                 ? "SSL failure " + std::to_string(SSL_get_error(ssl_, outcome))
                                 : take_openssl_reason(ssl_);
  const bool handshaking = state_ == State::handshaking;
  const bool to_server = context_->side() == TlsSide::to_servers;
  fail((handshaking && !to_server ? "could not accept SSL connection: " : "SSL error: ") + reason);
}

std::string TlsEngine::failure_hint() const {
  if (!version_mismatch_) return {};
  const TlsOptions& options = context_->options();
  std::string text = "This may indicate that the ";
  text += context_->side() == TlsSide::to_servers ? "server" : "client";
  text += " does not support any SSL protocol version between ";
  text += name_of(options.min_version);
  text += " and ";
  text += name_of(options.max_version);
  return text + ".";
}

std::string_view TlsEngine::version() const { return SSL_get_version(ssl_); }

std::string_view TlsEngine::cipher() const { return SSL_get_cipher_name(ssl_); }

int TlsEngine::cipher_bits() const { return SSL_get_cipher_bits(ssl_, nullptr); }

std::string TlsEngine::description() const {
  return std::string{version()} + "/" + std::string{cipher()};
}

std::string_view TlsEngine::server_name() const {
  const char* const name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? std::string_view{} : std::string_view{name};
}

ChannelBinding TlsEngine::channel_binding() const {
  if (context_->side() == TlsSide::to_clients) return context_->channel_binding();
  const X509* const certificate = SSL_get0_peer_certificate(ssl_);
  return certificate == nullptr ? ChannelBinding{} : ChannelBinding::of(certificate);
}

std::optional<Result<PeerNames, std::string>> TlsEngine::peer() const {
  const X509* const certificate = SSL_get0_peer_certificate(ssl_);
  const bool verified = (SSL_get_verify_mode(ssl_) & SSL_VERIFY_PEER) != 0 &&
                        SSL_get_verify_result(ssl_) == X509_V_OK;
  if (certificate == nullptr || !verified) return std::nullopt;
  return peer_names(certificate);
}

}  // namespace pgring
