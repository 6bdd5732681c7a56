#include "tests/unit/src/tls/certificates.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

namespace pgring::test {
namespace {

using DigestHandle = std::unique_ptr<EVP_MD_CTX, OpensslFree<EVP_MD_CTX_free>>;

KeyHandle make_key(KeyKind kind) {
  switch (kind) {
    case KeyKind::ec:
      return KeyHandle{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
    case KeyKind::rsa:
      return KeyHandle{EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048})};
    case KeyKind::ed25519:
      return KeyHandle{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
  }
  return nullptr;
}

void add_entry(X509_NAME* name, const char* field, const std::string& value) {
  REQUIRE(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                     reinterpret_cast<const unsigned char*>(value.data()),
                                     static_cast<int>(value.size()), -1, 0) == 1);
}

void add_alternatives(X509* certificate, const std::vector<AlternativeName>& alternatives) {
  if (alternatives.empty()) return;
  const NamesHandle names{GENERAL_NAMES_new()};
  for (const auto& alternative : alternatives) {
    ASN1_STRING* const text = ASN1_STRING_type_new(
        alternative.kind == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    REQUIRE(ASN1_STRING_set(text, alternative.bytes.data(),
                            static_cast<int>(alternative.bytes.size())) == 1);
    GENERAL_NAME* const name = GENERAL_NAME_new();
    GENERAL_NAME_set0_value(name, alternative.kind, text);
    REQUIRE(sk_GENERAL_NAME_push(names.get(), name) > 0);
  }
  REQUIRE(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1);
}

void sign(X509* certificate, EVP_PKEY* key, const CertificateSpec& spec) {
  const DigestHandle context{EVP_MD_CTX_new()};
  const bool own_digest = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
  const EVP_MD* const digest =
      own_digest ? nullptr : EVP_get_digestbyname(std::string{spec.digest}.c_str());
  EVP_PKEY_CTX* parameters = nullptr;
  REQUIRE(EVP_DigestSignInit(context.get(), &parameters, digest, nullptr, key) == 1);
  if (spec.rsa_pss) REQUIRE(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1);
  REQUIRE(X509_sign_ctx(certificate, context.get()) > 0);
}

template <auto Write, class... Arguments>
std::string written(Arguments... arguments) {
  const BioHandle memory{BIO_new(BIO_s_mem())};
  REQUIRE(Write(memory.get(), arguments...) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

Identity issue(const CertificateSpec& spec, const Identity* issuer) {
  Identity made{CertificateHandle{X509_new()}, make_key(spec.key)};
  REQUIRE(made.key != nullptr);
  X509* const certificate = made.certificate.get();
  REQUIRE(X509_set_version(certificate, X509_VERSION_3) == 1);
  std::uint32_t serial = 0;
  REQUIRE(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1);
  REQUIRE(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial) == 1);
  REQUIRE(X509_gmtime_adj(X509_getm_notBefore(certificate), spec.begins_s) != nullptr);
  REQUIRE(X509_gmtime_adj(X509_getm_notAfter(certificate), spec.ends_s) != nullptr);
  REQUIRE(X509_set_pubkey(certificate, made.key.get()) == 1);
  X509_NAME* const subject = X509_get_subject_name(certificate);
  if (!spec.organization.empty()) add_entry(subject, "O", spec.organization);
  for (const auto& name : spec.common_names) add_entry(subject, "CN", name);
  REQUIRE(X509_set_issuer_name(
              certificate,
              issuer == nullptr ? subject : X509_get_subject_name(issuer->certificate.get())) == 1);
  if (spec.ca) {
    BASIC_CONSTRAINTS* const constraints = BASIC_CONSTRAINTS_new();
    constraints->ca = 1;
    REQUIRE(X509_add1_ext_i2d(certificate, NID_basic_constraints, constraints, 1, 0) == 1);
    BASIC_CONSTRAINTS_free(constraints);
  }
  add_alternatives(certificate, spec.alternatives);
  sign(certificate, issuer == nullptr ? made.key.get() : issuer->key.get(), spec);
  return made;
}

CrlHandle revoke(const Identity& issuer, const std::vector<const Identity*>& revoked) {
  CrlHandle list{X509_CRL_new()};
  REQUIRE(X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) == 1);
  REQUIRE(X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(issuer.certificate.get())) ==
          1);
  using TimeHandle = std::unique_ptr<ASN1_TIME, OpensslFree<ASN1_TIME_free>>;
  const TimeHandle before{ASN1_TIME_adj(nullptr, std::time(nullptr), 0, -60)};
  const TimeHandle after{ASN1_TIME_adj(nullptr, std::time(nullptr), 1, 0)};
  REQUIRE(X509_CRL_set1_lastUpdate(list.get(), before.get()) == 1);
  REQUIRE(X509_CRL_set1_nextUpdate(list.get(), after.get()) == 1);
  for (const Identity* identity : revoked) {
    X509_REVOKED* const entry = X509_REVOKED_new();
    REQUIRE(X509_REVOKED_set_serialNumber(entry,
                                          X509_get_serialNumber(identity->certificate.get())) == 1);
    REQUIRE(X509_REVOKED_set_revocationDate(entry, before.get()) == 1);
    REQUIRE(X509_CRL_add0_revoked(list.get(), entry) == 1);
  }
  REQUIRE(X509_CRL_sort(list.get()) == 1);
  REQUIRE(X509_CRL_sign(list.get(), issuer.key.get(), EVP_sha256()) > 0);
  return list;
}

std::string pem(const X509& certificate) { return written<PEM_write_bio_X509>(&certificate); }

std::string pem(const Identity& identity) { return pem(*identity.certificate); }

std::string pem(const X509_CRL& list) { return written<PEM_write_bio_X509_CRL>(&list); }

std::string key_pem(const Identity& identity, std::string_view passphrase) {
  return written<PEM_write_bio_PrivateKey>(
      identity.key.get(), passphrase.empty() ? nullptr : EVP_aes_256_cbc(),
      reinterpret_cast<const unsigned char*>(passphrase.data()),
      static_cast<int>(passphrase.size()), nullptr, nullptr);
}

std::string key_der(const Identity& identity) {
  return written<i2d_PrivateKey_bio>(identity.key.get());
}

std::string packed(const char* address) {
  std::array<char, sizeof(in6_addr)> bytes{};
  if (::inet_pton(AF_INET, address, bytes.data()) == 1) return {bytes.data(), sizeof(in_addr)};
  REQUIRE(::inet_pton(AF_INET6, address, bytes.data()) == 1);
  return {bytes.data(), bytes.size()};
}

TestFolder::TestFolder() : folder_{"/tmp/pgring-tls-XXXXXX"} {
  REQUIRE(::mkdtemp(folder_.data()) != nullptr);
}

TestFolder::~TestFolder() {
  std::error_code ignored;  // a folder left behind in /tmp fails no test
  std::filesystem::remove_all(folder_, ignored);
}

std::string TestFolder::path(std::string_view name) const {
  return folder_ + "/" + std::string{name};
}

std::string TestFolder::write(std::string_view name, std::string_view text, unsigned mode) const {
  const std::string where = path(name);
  std::ofstream{where, std::ios::binary} << text;
  REQUIRE(::chmod(where.c_str(), mode) == 0);
  return where;
}

}  // namespace pgring::test
