// Certificates and keys from files, each failure told apart. For src/tls only.
//
// What:   reads one file as a whole and parses it; checks who else can read a key, as PostgreSQL does.
// Life:   what is returned belongs to the caller. The text of a key file is wiped before the function returns.
// Errors: TlsProblem with the setting, the file and the fix. The bytes of a file are never part of it.
// Source: be-secure-common.c, check_ssl_key_file_permissions, and fe-secure-openssl.c for the client's key.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "src/tls/openssl_handle.h"
#include "src/tls/tls_options.h"

namespace pgring {

// What a file is for: the setting's name and the words for it.
struct TlsFile {
  std::string_view setting;  // "cert_file"
  std::string_view what;     // "certificate file"
  const std::string& path;
};

enum class KeyOwner : std::uint8_t {
  us_or_root,  // a key we serve with, as PostgreSQL's ssl_key_file
  anyone,      // a client's key, as libpq's sslkey: that we can read it is enough
};

// All certificates of a PEM file, in order; at least one.
[[nodiscard]] Result<std::vector<CertificateHandle>, TlsProblem> read_certificates(
    const TlsFile& file);
[[nodiscard]] Result<std::vector<CrlHandle>, TlsProblem> read_crls(const TlsFile& file);
[[nodiscard]] Result<KeyHandle, TlsProblem> read_key(const TlsFile& file, KeyOwner owner);

}  // namespace pgring
