// What the operator says about TLS on one side, and what was wrong with it.
//
// What:   TlsOptions are the settings of `[tls]` or `[server.NAME.tls]`; TlsProblem is one error or warning
//         about a setting or a file, in words for the operator.
// Life:   plain values. Paths are kept as given.
// Errors: none.
// Source: PostgreSQL documentation, libpq-ssl, "SSL Support", and ssl-tcp, "Secure TCP/IP Connections with SSL".
#pragma once

#include <cstdint>
#include <string>

namespace pgring {

// libpq's sslmode, and PgBouncer's client_tls_sslmode with the same words.
enum class TlsMode : std::uint8_t { disable, allow, prefer, require, verify_ca, verify_full };

// Older ones are not offered: RFC 8996 deprecates them.
enum class TlsVersion : std::uint8_t { tls1_2, tls1_3 };

struct TlsOptions {
  TlsMode mode = TlsMode::prefer;
  std::string cert_file;  // PEM: our certificate, then those that lead to the root
  std::string key_file;   // PEM or DER, without a passphrase
  std::string ca_file;    // PEM: whom we trust; "system" towards a server: the system's roots
  std::string crl_file;   // PEM: what was revoked; of every issuer, or its certificates are refused
  TlsVersion min_version = TlsVersion::tls1_2;
  TlsVersion max_version = TlsVersion::tls1_3;
  std::string ciphers;        // TLS 1.2, an OpenSSL cipher list; empty: the default
  std::string tls13_ciphers;  // TLS 1.3 suites; empty: OpenSSL's
  std::string groups;         // key exchange, "X25519:P-256"; empty: OpenSSL's

  friend bool operator==(const TlsOptions&, const TlsOptions&) = default;
};

enum class TlsProblemKind : std::uint8_t {
  setting,      // a setting is missing, or OpenSSL does not take its value
  not_found,    // no such file
  unreadable,   // the file cannot be opened or read
  permissions,  // others can read the key
  malformed,    // not what the file should hold
  passphrase,   // the key is encrypted
  mismatch,     // the key is not the certificate's
  // The rest are warnings: PostgreSQL, too, loads such a certificate and leaves it to the peer to refuse it. To
  // refuse it here would make a restart the end for clients that do not verify.
  expired,
  not_yet_valid,
  expires_soon,
};

struct TlsProblem {
  TlsProblemKind kind = TlsProblemKind::setting;
  std::string setting;  // "key_file"
  std::string message;  // what is wrong, with the file's name
  std::string hint;     // the fix; may be empty
};

}  // namespace pgring
