// What the TLS connections of one side have in common: keys, certificates, rules. Immutable.
//
// What:   made from TlsOptions at start and at each reload; engines are made from it. Towards clients it never
//         gives session tickets (below), never renegotiates or compresses, and picks the cipher itself.
// Owner:  shared by all shards and by every engine made from it; one replaced at reload lives as long as
//         connections that began with it. Reading it needs no lock; OpenSSL counts references atomically.
// Life:   file names are read at load only; nothing is read later.
// Errors: load fails with the first TlsProblem; warnings() are those with which it loaded all the same.
// Tickets: none. Resumption would save the signature of a reconnect, which a pooler's clients seldom do, for a
//         key that all shards share and somebody must rotate, and it would let a client certificate in that has
//         expired or been revoked since. PostgreSQL gives none either.
// Source: libpq-ssl; ssl-tcp; SSL_CTX_set_options(3).
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "src/base/result.h"
#include "src/tls/certificate.h"
#include "src/tls/tls_options.h"

struct ssl_ctx_st;

namespace pgring {

enum class TlsSide : std::uint8_t {
  to_clients,  // we are TLS's server
  to_servers,  // we are TLS's client
};

// By the wall's clock, as certificates are.
[[nodiscard]] inline std::chrono::sys_seconds tls_now() {
  return std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now());
}

class TlsContext {
 public:
  using Loaded = Result<std::shared_ptr<const TlsContext>, TlsProblem>;

  // `now` decides about the warnings. REQUIRES: options.mode is not disable.
  // Towards clients: cert_file and key_file are needed. With ca_file a client is asked for its certificate, and
  // one that comes is verified; with verify_ca and verify_full (the same here, as for PgBouncer) it must come.
  // Towards servers: with ca_file the server is verified in every mode, as libpq does; verify_ca and verify_full
  // need one. cert_file and key_file are for servers that ask.
  [[nodiscard]] static Loaded load(TlsSide side, const TlsOptions& options,
                                   std::chrono::sys_seconds now);

  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;
  ~TlsContext();

  [[nodiscard]] TlsSide side() const { return side_; }
  [[nodiscard]] const TlsOptions& options() const { return options_; }
  // What was expired, not yet valid, or to expire within `soon` when it was loaded; and what is at another time.
  [[nodiscard]] const std::vector<TlsProblem>& warnings() const { return warnings_; }
  [[nodiscard]] std::vector<TlsProblem> warnings_at(std::chrono::sys_seconds now) const;
  // Ours first, then its chain, then those we trust (but for the system's roots). For SHOW TLS.
  [[nodiscard]] const std::vector<CertificateInfo>& certificates() const { return certificates_; }
  // The ciphers that may be agreed on, in our order: "TLS_AES_256_GCM_SHA384:…". For SHOW TLS.
  [[nodiscard]] std::string cipher_names() const;
  // Of our own certificate, for SCRAM-SHA-256-PLUS towards clients.
  [[nodiscard]] const ChannelBinding& channel_binding() const { return channel_binding_; }
  // For TlsEngine.
  [[nodiscard]] ssl_ctx_st* handle() const { return handle_; }

  static constexpr std::chrono::days soon{30};

 private:
  TlsContext(TlsSide side, const TlsOptions& options);
  using Step = Result<void, TlsProblem>;

  [[nodiscard]] Step check_settings();
  [[nodiscard]] Step apply_rules();
  [[nodiscard]] Step load_own();
  [[nodiscard]] Step load_trusted();
  [[nodiscard]] Step load_revoked();
  void note(const x509_st* certificate, CertificateUse use, const std::string& file);

  // All constant once load() has returned.
  TlsSide side_;
  TlsOptions options_;
  ssl_ctx_st* handle_ = nullptr;
  std::vector<CertificateInfo> certificates_;
  std::vector<TlsProblem> warnings_;
  ChannelBinding channel_binding_;
};

}  // namespace pgring
