// Certificates for tests, made when they are needed: no key is kept in the repository.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/tls/openssl_handle.h"

namespace pgring::test {

enum class KeyKind : std::uint8_t { ec, rsa, ed25519 };

struct AlternativeName {
  int kind;           // GEN_DNS, GEN_IPADD, GEN_EMAIL, GEN_URI
  std::string bytes;  // as they are in the certificate
};

struct CertificateSpec {
  std::vector<std::string> common_names{};
  std::string organization{};
  std::vector<AlternativeName> alternatives{};
  KeyKind key = KeyKind::ec;
  std::string_view digest = "SHA256";
  bool ca = false;
  bool rsa_pss = false;
  long begins_s = -3600;           // from now
  long ends_s = 365L * 24 * 3600;  // from now
};

struct Identity {
  CertificateHandle certificate;
  KeyHandle key;
};

// Signed by `issuer`, or by itself.
[[nodiscard]] Identity issue(const CertificateSpec& spec, const Identity* issuer = nullptr);
[[nodiscard]] CrlHandle revoke(const Identity& issuer, const std::vector<const Identity*>& revoked);

[[nodiscard]] std::string pem(const X509& certificate);
[[nodiscard]] std::string pem(const Identity& identity);  // the certificate
[[nodiscard]] std::string pem(const X509_CRL& list);
[[nodiscard]] std::string key_pem(const Identity& identity, std::string_view passphrase = {});
[[nodiscard]] std::string key_der(const Identity& identity);

// An IP address as a certificate has it.
[[nodiscard]] std::string packed(const char* address);

// A folder of its own that goes with everything in it.
class TestFolder {
 public:
  TestFolder();
  ~TestFolder();
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;
  [[nodiscard]] std::string path(std::string_view name) const;
  // Returns its path.
  std::string write(std::string_view name, std::string_view text, unsigned mode = 0600) const;

 private:
  std::string folder_;
};

}  // namespace pgring::test
