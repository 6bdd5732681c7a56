// The keys of [tls].
#include <array>

#include "src/config/config_keys.h"

namespace pgring {
namespace {

constexpr std::array<Key<TlsConfig>, 10> tls_keys{{
    {"mode",
     &TlsConfig::mode,
     Reload::yes,
     {},
     "string",
     "Whether clients may or must use TLS: `disable`; `allow`, `prefer` (they may); `require` "
     "(they "
     "must, but through the Unix socket); `verify-ca`, `verify-full` (they must, with a "
     "certificate "
     "of `ca_file`).",
     "`client_tls_sslmode`"},
    {"cert_file",
     &TlsConfig::cert_file,
     Reload::yes,
     {},
     "string",
     "pgring's certificate and those that lead to its root, PEM; relative paths start at "
     "pgring.toml's directory.",
     "`client_tls_cert_file`",
     "none"},
    {"key_file",
     &TlsConfig::key_file,
     Reload::yes,
     {},
     "string",
     "Its private key, without a passphrase, readable by nobody else.",
     "`client_tls_key_file`",
     "none"},
    {"ca_file",
     &TlsConfig::ca_file,
     Reload::yes,
     {},
     "string",
     "CAs of clients' certificates; with them clients are asked for one.",
     "`client_tls_ca_file`",
     "none"},
    {"crl_file",
     &TlsConfig::crl_file,
     Reload::yes,
     {},
     "string",
     "Revoked certificates of clients: a list of every CA, PEM.",
     "",
     "none"},
    {"min_version",
     &TlsConfig::min_version,
     Reload::yes,
     {},
     "string",
     "Oldest version: `TLSv1.2` or `TLSv1.3`.",
     "`client_tls_protocols` (`secure`, the same)"},
    {"max_version", &TlsConfig::max_version, Reload::yes, {}, "string", "Newest version.", ""},
    {"ciphers",
     &TlsConfig::ciphers,
     Reload::yes,
     {},
     "string",
     "Ciphers of TLS 1.2, as an OpenSSL list.",
     "`client_tls_ciphers` (`default`)",
     "`ECDHE+AESGCM:ECDHE+CHACHA20`"},
    {"tls13_ciphers",
     &TlsConfig::tls13_ciphers,
     Reload::yes,
     {},
     "string",
     "Suites of TLS 1.3.",
     "`client_tls13_ciphers`",
     "OpenSSL's"},
    {"groups",
     &TlsConfig::groups,
     Reload::yes,
     {},
     "string",
     "Groups for the key exchange, such as `X25519:P-256`.",
     "`client_tls_ecdhcurve` (`auto`)",
     "OpenSSL's"},
}};

}  // namespace

template <>
std::span<const Key<TlsConfig>> keys_of() {
  return tls_keys;
}

}  // namespace pgring
