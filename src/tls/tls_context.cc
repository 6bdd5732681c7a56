#include "src/tls/tls_context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <string_view>

#include "src/base/check.h"
#include "src/tls/alpn.h"
#include "src/tls/openssl_handle.h"
#include "src/tls/tls_files.h"
#include "src/tls/tls_reason.h"

namespace pgring {
namespace {

// Of TLS 1.2: only what has forward secrecy and authenticates what it encrypts. Every driver of the last ten
// years has one of them; `ciphers` is for others.
constexpr std::string_view default_ciphers = "ECDHE+AESGCM:ECDHE+CHACHA20";
// Behind any list: without a certificate, or without encryption, nothing of this has a meaning.
constexpr std::string_view never_ciphers = ":!aNULL:!eNULL";

int openssl_version(TlsVersion version) {
  switch (version) {
    case TlsVersion::tls1_2:
      return TLS1_2_VERSION;
    case TlsVersion::tls1_3:
      return TLS1_3_VERSION;
  }
  POOLER_UNREACHABLE();
}

bool must_verify(TlsMode mode) {
  return mode == TlsMode::verify_ca || mode == TlsMode::verify_full;
}

bool of_system(const TlsOptions& options) { return options.ca_file == "system"; }

Unexpected<TlsProblem> bad_setting(std::string_view setting, std::string message,
                                   std::string hint) {
  return Unexpected{TlsProblem{.kind = TlsProblemKind::setting,
                               .setting = std::string{setting},
                               .message = std::move(message),
                               .hint = std::move(hint)}};
}

// Our protocol or none: a client that names only others speaks to somebody else (ALPACA).
int select_alpn(SSL*, const unsigned char** chosen, unsigned char* chosen_size,
                const unsigned char* offered, unsigned int offered_size, void*) {
  unsigned char* found = nullptr;
  const int outcome = SSL_select_next_proto(&found, chosen_size, alpn::wire.data(),
                                            alpn::wire.size(), offered, offered_size);
  *chosen = found;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

TlsContext::TlsContext(TlsSide side, const TlsOptions& options) : side_{side}, options_{options} {
  handle_ = SSL_CTX_new(side == TlsSide::to_clients ? TLS_server_method() : TLS_client_method());
  POOLER_CHECK(handle_ != nullptr);
}

TlsContext::~TlsContext() { SSL_CTX_free(handle_); }

TlsContext::Loaded TlsContext::load(TlsSide side, const TlsOptions& options,
                                    std::chrono::sys_seconds now) {
  POOLER_CHECK(options.mode != TlsMode::disable);
  ERR_clear_error();
  const std::shared_ptr<TlsContext> context{new TlsContext{side, options}};
  for (const auto step :
       {&TlsContext::check_settings, &TlsContext::apply_rules, &TlsContext::load_own,
        &TlsContext::load_trusted, &TlsContext::load_revoked}) {
    if (auto done = (context.get()->*step)(); !done) return Unexpected{std::move(done).error()};
  }
  context->warnings_ = context->warnings_at(now);
  return std::shared_ptr<const TlsContext>{context};
}

TlsContext::Step TlsContext::check_settings() {
  const bool to_clients = side_ == TlsSide::to_clients;
  if (to_clients && options_.cert_file.empty()) {
    return bad_setting("cert_file", "TLS towards clients needs a certificate",
                       "set cert_file and key_file, or mode = \"disable\"");
  }
  if (options_.cert_file.empty() != options_.key_file.empty()) {
    return options_.key_file.empty()
               ? bad_setting("key_file", "cert_file is set and key_file is not", "set key_file")
               : bad_setting("cert_file", "key_file is set and cert_file is not", "set cert_file");
  }
  if (must_verify(options_.mode) && options_.ca_file.empty()) {
    return bad_setting("ca_file", "there is no root certificate to verify with",
                       to_clients ? "set ca_file to the CA of the clients' certificates"
                                  : "set ca_file, or use ca_file = \"system\" with mode = "
                                    "\"verify-full\" for the system's trusted roots");
  }
  if (of_system(options_) && to_clients) {
    return bad_setting("ca_file", "the system's roots do not vouch for clients",
                       "set ca_file to the CA of the clients' certificates");
  }
  // Anybody can have a certificate of a public CA, so without the name it says nothing; libpq's rule.
  if (of_system(options_) && options_.mode != TlsMode::verify_full) {
    return bad_setting("ca_file",
                       "a mode weaker than verify-full is of no use with the system's roots",
                       "set mode = \"verify-full\"");
  }
  if (!options_.crl_file.empty() && options_.ca_file.empty())
    return bad_setting("crl_file", "crl_file is set and ca_file is not", "set ca_file");
  if (options_.min_version > options_.max_version)
    return bad_setting("min_version", "min_version is higher than max_version", "lower it");
  return {};
}

TlsContext::Step TlsContext::apply_rules() {
  SSL_CTX_set_options(handle_, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_session_cache_mode(handle_, SSL_SESS_CACHE_OFF);
  POOLER_CHECK(SSL_CTX_set_session_id_context(handle_, alpn::wire.data(), alpn::wire.size()) == 1);
  SSL_CTX_set_num_tickets(handle_, 0);  // TLS 1.3 would give stateful ones despite NO_TICKET
  // One record at a time from wherever its bytes are; and a call returns after each record that is not data,
  // so that the engine can count them.
  SSL_CTX_set_mode(handle_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_clear_mode(handle_, SSL_MODE_AUTO_RETRY);
  if (SSL_CTX_set_min_proto_version(handle_, openssl_version(options_.min_version)) != 1 ||
      SSL_CTX_set_max_proto_version(handle_, openssl_version(options_.max_version)) != 1) {
    return bad_setting("min_version",
                       "OpenSSL does not offer these versions: " + take_openssl_reason(),
                       "use another min_version or max_version");
  }
  const bool to_clients = side_ == TlsSide::to_clients;
  std::string ciphers = options_.ciphers;
  if (ciphers.empty() && to_clients) ciphers = default_ciphers;
  if (!ciphers.empty() &&
      SSL_CTX_set_cipher_list(handle_, (ciphers + std::string{never_ciphers}).c_str()) != 1) {
    return bad_setting("ciphers",
                       "no valid cipher in \"" + ciphers + "\": " + take_openssl_reason(),
                       "`openssl ciphers -tls1_2 -s 'LIST'` shows what a list stands for");
  }
  if (!options_.tls13_ciphers.empty() &&
      SSL_CTX_set_ciphersuites(handle_, options_.tls13_ciphers.c_str()) != 1) {
    return bad_setting(
        "tls13_ciphers",
        "no valid suites in \"" + options_.tls13_ciphers + "\": " + take_openssl_reason(),
        "`openssl ciphers -tls1_3 -s` shows the suites there are");
  }
  // What SSL_CTX_set1_groups_list stands for, a macro that casts const away.
  if (!options_.groups.empty() &&
      SSL_CTX_ctrl(handle_, SSL_CTRL_SET_GROUPS_LIST, 0, options_.groups.data()) != 1) {
    return bad_setting("groups",
                       "no valid groups in \"" + options_.groups + "\": " + take_openssl_reason(),
                       "name groups such as \"X25519:P-256\"");
  }
  if (to_clients) {
    SSL_CTX_set_dh_auto(handle_, 1);  // for a `ciphers` with DHE
    SSL_CTX_set_alpn_select_cb(handle_, select_alpn, nullptr);
  } else {
    // 0: it worked.
    POOLER_CHECK(SSL_CTX_set_alpn_protos(handle_, alpn::wire.data(), alpn::wire.size()) == 0);
  }
  return {};
}

TlsContext::Step TlsContext::load_own() {
  if (options_.cert_file.empty()) return {};
  const TlsFile cert_file{"cert_file", "certificate file", options_.cert_file};
  const TlsFile key_file{"key_file", "private key file", options_.key_file};
  auto chain = read_certificates(cert_file);
  if (!chain) return Unexpected{std::move(chain).error()};
  auto key =
      read_key(key_file, side_ == TlsSide::to_clients ? KeyOwner::us_or_root : KeyOwner::anyone);
  if (!key) return Unexpected{std::move(key).error()};
  X509* const own = chain->front().get();
  const auto refused = [&](const char* what) {
    return Unexpected{TlsProblem{.kind = TlsProblemKind::malformed,
                                 .setting = "cert_file",
                                 .message = "OpenSSL does not take the " + std::string{what} +
                                            " of \"" + options_.cert_file +
                                            "\": " + take_openssl_reason(),
                                 .hint = "a new certificate with a key of 2048 bits (RSA) or 256 "
                                         "(ECDSA) and SHA-256 satisfies every policy"}};
  };
  if (X509_check_private_key(own, key->get()) != 1) {
    ERR_clear_error();
    return Unexpected{
        TlsProblem{.kind = TlsProblemKind::mismatch,
                   .setting = "key_file",
                   .message = "certificate file \"" + options_.cert_file +
                              "\" does not match private key file \"" + options_.key_file + "\"",
                   .hint = "the key must be the one the first certificate of the file "
                           "was issued for"}};
  }
  if (SSL_CTX_use_certificate(handle_, own) != 1) return refused("certificate");
  if (SSL_CTX_use_PrivateKey(handle_, key->get()) != 1) return refused("key");
  note(own, CertificateUse::own, options_.cert_file);
  channel_binding_ = ChannelBinding::of(own);
  for (std::size_t i = 1; i < chain->size(); ++i) {
    if (SSL_CTX_add1_chain_cert(handle_, (*chain)[i].get()) != 1) return refused("chain");
    note((*chain)[i].get(), CertificateUse::chain, options_.cert_file);
  }
  return {};
}

TlsContext::Step TlsContext::load_trusted() {
  if (options_.ca_file.empty()) return {};
  const bool to_clients = side_ == TlsSide::to_clients;
  const bool demanded = to_clients && must_verify(options_.mode);
  SSL_CTX_set_verify(handle_, SSL_VERIFY_PEER | (demanded ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  if (of_system(options_)) {
    if (SSL_CTX_set_default_verify_paths(handle_) == 1) return {};
    return bad_setting("ca_file", "could not load the system's roots: " + take_openssl_reason(),
                       "install ca-certificates");
  }
  auto trusted = read_certificates({"ca_file", "root certificate file", options_.ca_file});
  if (!trusted) return Unexpected{std::move(trusted).error()};
  X509_STORE* const store = SSL_CTX_get_cert_store(handle_);
  for (const auto& certificate : *trusted) {
    // A certificate that is there twice is there once; anything else that fails is want of memory.
    POOLER_CHECK(X509_STORE_add_cert(store, certificate.get()) == 1);
    // So that a client with several certificates knows which to send.
    if (to_clients) POOLER_CHECK(SSL_CTX_add_client_CA(handle_, certificate.get()) == 1);
    note(certificate.get(), CertificateUse::trusted, options_.ca_file);
  }
  return {};
}

TlsContext::Step TlsContext::load_revoked() {
  if (options_.crl_file.empty()) return {};
  auto lists = read_crls({"crl_file", "certificate revocation list file", options_.crl_file});
  if (!lists) return Unexpected{std::move(lists).error()};
  X509_STORE* const store = SSL_CTX_get_cert_store(handle_);
  for (const auto& list : *lists) POOLER_CHECK(X509_STORE_add_crl(store, list.get()) == 1);
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
  return {};
}

void TlsContext::note(const x509_st* certificate, CertificateUse use, const std::string& file) {
  certificates_.push_back(certificate_info(certificate, use, file));
}

std::vector<TlsProblem> TlsContext::warnings_at(std::chrono::sys_seconds now) const {
  std::vector<TlsProblem> warnings;
  for (const CertificateInfo& info : certificates_) {
    const auto add = [&](TlsProblemKind kind, const std::string& what) {
      const bool trusted = info.use == CertificateUse::trusted;
      warnings.push_back(
          {.kind = kind,
           .setting = trusted ? "ca_file" : "cert_file",
           .message = "the certificate \"" + info.subject + "\" of \"" + info.file + "\" " + what,
           .hint = kind == TlsProblemKind::not_yet_valid
                       ? "check the clock of this host"
                       : "put a new certificate into the file and reload"});
    };
    if (now >= info.not_after) {
      add(TlsProblemKind::expired, "expired at " + to_text(info.not_after));
    } else if (now < info.not_before) {
      add(TlsProblemKind::not_yet_valid, "is not valid before " + to_text(info.not_before));
    } else if (info.not_after - now < soon) {
      add(TlsProblemKind::expires_soon, "expires at " + to_text(info.not_after));
    }
  }
  return warnings;
}

std::string TlsContext::cipher_names() const {
  std::string names;
  const STACK_OF(SSL_CIPHER)* const ciphers = SSL_CTX_get_ciphers(handle_);
  for (int i = 0; i < sk_SSL_CIPHER_num(ciphers); ++i) {
    const SSL_CIPHER* const cipher = sk_SSL_CIPHER_value(ciphers, i);
    const std::string_view version = SSL_CIPHER_get_version(cipher);
    const bool of_tls13 = version == "TLSv1.3";
    if (of_tls13 ? options_.max_version < TlsVersion::tls1_3
                 : options_.min_version > TlsVersion::tls1_2)
      continue;
    if (!names.empty()) names += ':';
    names += SSL_CIPHER_get_name(cipher);
  }
  return names;
}

}  // namespace pgring
