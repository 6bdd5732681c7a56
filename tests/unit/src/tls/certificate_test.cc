#include "src/tls/certificate.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "tests/unit/src/tls/certificates.h"

namespace pgring::test {
namespace {

using std::string_literals::operator""s;

// The hash of the certificate by the named algorithm, computed another way.
std::vector<std::byte> digest(const Identity& identity, const char* algorithm) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(identity.certificate.get(), &der);
  REQUIRE(size > 0);
  std::vector<std::byte> hash(EVP_MAX_MD_SIZE);
  std::size_t hash_size = 0;
  REQUIRE(EVP_Q_digest(nullptr, algorithm, nullptr, der, static_cast<std::size_t>(size),
                       reinterpret_cast<unsigned char*>(hash.data()), &hash_size) == 1);
  OPENSSL_free(der);
  hash.resize(hash_size);
  return hash;
}

TEST_CASE(
    "certificate: channel binding hashes as the signature does, and never weaker than SHA-256") {
  struct Row {
    KeyKind key;
    const char* signature;
    bool pss;
    const char* expected;
  };
  static constexpr Row rows[] = {
      {KeyKind::ec, "SHA1", false, "SHA256"},    {KeyKind::ec, "SHA256", false, "SHA256"},
      {KeyKind::ec, "SHA384", false, "SHA384"},  {KeyKind::ec, "SHA512", false, "SHA512"},
      {KeyKind::rsa, "MD5", false, "SHA256"},    {KeyKind::rsa, "SHA1", false, "SHA256"},
      {KeyKind::rsa, "SHA224", false, "SHA224"}, {KeyKind::rsa, "SHA512", false, "SHA512"},
      {KeyKind::rsa, "SHA384", true, "SHA384"},  {KeyKind::rsa, "SHA1", true, "SHA256"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.signature);
    CAPTURE(row.pss);
    const Identity identity = issue(
        {.common_names = {"db"}, .key = row.key, .digest = row.signature, .rsa_pss = row.pss});
    const ChannelBinding binding = ChannelBinding::of(identity.certificate.get());
    CHECK(std::ranges::equal(binding.bytes(), digest(identity, row.expected)));
  }
}

TEST_CASE("certificate: a signature without a hash of its own has no channel binding") {
  const Identity identity = issue({.common_names = {"db"}, .key = KeyKind::ed25519});
  CHECK(ChannelBinding::of(identity.certificate.get()).empty());
}

TEST_CASE("certificate: a client's names are told apart and printed as PostgreSQL compares them") {
  const Identity identity = issue({.common_names = {"alice", "second"},
                                   .organization = "Example, Inc.",
                                   .alternatives = {{GEN_DNS, "alice.example"},
                                                    {GEN_EMAIL, "alice@example"},
                                                    {GEN_IPADD, packed("10.0.0.7")},
                                                    {GEN_URI, "spiffe://example/alice"}}});
  const auto names = peer_names(identity.certificate.get());
  REQUIRE(names);
  CHECK(names->common_name == "alice");
  CHECK(names->distinguished_name == "CN=second,CN=alice,O=Example\\, Inc.");
  CHECK(names->dns_names == std::vector<std::string>{"alice.example"});
  CHECK(names->email_addresses == std::vector<std::string>{"alice@example"});
  CHECK(names->uris == std::vector<std::string>{"spiffe://example/alice"});
}

TEST_CASE("certificate: a client without a common name has none") {
  const Identity identity = issue({.organization = "Example"});
  const auto names = peer_names(identity.certificate.get());
  REQUIRE(names);
  CHECK(names->common_name.empty());
  CHECK(names->distinguished_name == "O=Example");
}

TEST_CASE("certificate: names with a NUL byte are refused, as PostgreSQL refuses them") {
  const auto reason_of = [](const CertificateSpec& spec) {
    const auto names = peer_names(issue(spec).certificate.get());
    REQUIRE(!names);
    return names.error();
  };
  CHECK(reason_of({.common_names = {"alice\0.evil"s}}) ==
        "SSL certificate's common name contains embedded null");
  CHECK(reason_of({.common_names = {"alice"}, .alternatives = {{GEN_DNS, "a\0b"s}}}) ==
        "SSL certificate's alternative name contains embedded null");
}

TEST_CASE("certificate: subject, issuer, serial number and life are readable") {
  const Identity ca = issue({.common_names = {"test CA"}, .ca = true});
  const Identity identity = issue({.common_names = {"db"}}, &ca);
  X509* const certificate = identity.certificate.get();
  REQUIRE(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), 0x0123abcdefU) == 1);
  REQUIRE(ASN1_TIME_set_string_X509(X509_getm_notBefore(certificate), "250102030405Z") == 1);
  REQUIRE(ASN1_TIME_set_string_X509(X509_getm_notAfter(certificate), "20991231235959Z") == 1);
  const CertificateInfo info = certificate_info(certificate, CertificateUse::own, "/x.pem");
  CHECK(info.subject == "CN=db");
  CHECK(info.issuer == "CN=test CA");
  CHECK(info.serial == "0123abcdef");
  CHECK(info.file == "/x.pem");
  CHECK(to_text(info.not_before) == "2025-01-02 03:04:05 UTC");
  CHECK(to_text(info.not_after) == "2099-12-31 23:59:59 UTC");
}

}  // namespace
}  // namespace pgring::test
