#include "src/tls/certificate.h"

#include <openssl/err.h>
#include <openssl/objects.h>

#include <ctime>
#include <string_view>

#include "src/base/check.h"
#include "src/tls/openssl_handle.h"

namespace pgring {
namespace {

std::string printed(const X509_NAME* name) {
  const BioHandle memory{BIO_new(BIO_s_mem())};
  POOLER_CHECK(memory != nullptr);
  if (X509_NAME_print_ex(memory.get(), name, 0, XN_FLAG_RFC2253) < 0) {
    ERR_clear_error();
    return {};
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return size > 0 ? std::string{data, static_cast<std::size_t>(size)} : std::string{};
}

std::string serial_of(const X509* certificate) {
  const ASN1_INTEGER* const serial = X509_get0_serialNumber(certificate);
  static constexpr std::string_view digits = "0123456789abcdef";
  const std::span bytes{ASN1_STRING_get0_data(serial),
                        static_cast<std::size_t>(ASN1_STRING_length(serial))};
  std::string text;
  for (const unsigned char byte : bytes) {
    text += digits[byte >> 4U];
    text += digits[byte & 0xfU];
  }
  return text;
}

std::chrono::sys_seconds time_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) {
    ERR_clear_error();
    return {};
  }
  return std::chrono::sys_seconds{std::chrono::seconds{::timegm(&parts)}};
}

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

std::string raw(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

// As UTF-8, whatever kind of string it is in the certificate.
Result<std::string, std::string> common_name_of(const X509_NAME* subject) {
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) return std::string{};
  unsigned char* utf8 = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
  if (size < 0) {
    ERR_clear_error();
    return Unexpected{std::string{"SSL certificate's common name cannot be read"}};
  }
  std::string name{reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size)};
  OPENSSL_free(utf8);
  if (has_nul(name))
    return Unexpected{std::string{"SSL certificate's common name contains embedded null"}};
  return name;
}

}  // namespace

CertificateInfo certificate_info(const x509_st* certificate, CertificateUse use, std::string file) {
  return {.use = use,
          .file = std::move(file),
          .subject = printed(X509_get_subject_name(certificate)),
          .issuer = printed(X509_get_issuer_name(certificate)),
          .serial = serial_of(certificate),
          .not_before = time_of(X509_get0_notBefore(certificate)),
          .not_after = time_of(X509_get0_notAfter(certificate))};
}

std::string to_text(std::chrono::sys_seconds time) {
  const std::time_t seconds = time.time_since_epoch().count();
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M:%S UTC", &parts)};
}

Result<PeerNames, std::string> peer_names(const x509_st* certificate) {
  PeerNames names;
  const X509_NAME* const subject = X509_get_subject_name(certificate);
  auto common_name = common_name_of(subject);
  if (!common_name) return Unexpected{std::move(common_name).error()};
  names.common_name = *std::move(common_name);
  names.distinguished_name = printed(subject);
  if (has_nul(names.distinguished_name))
    return Unexpected{std::string{"SSL certificate's distinguished name contains embedded null"}};

  const NamesHandle alternatives{static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
  ERR_clear_error();
  for (int i = 0; alternatives != nullptr && i < sk_GENERAL_NAME_num(alternatives.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(alternatives.get(), i);
    std::vector<std::string>* list = nullptr;
    if (name->type == GEN_DNS) list = &names.dns_names;
    if (name->type == GEN_EMAIL) list = &names.email_addresses;
    if (name->type == GEN_URI) list = &names.uris;
    if (list == nullptr) continue;
    std::string text = raw(name->d.ia5);
    if (has_nul(text))
      return Unexpected{std::string{"SSL certificate's alternative name contains embedded null"}};
    list->push_back(std::move(text));
  }
  return names;
}

ChannelBinding ChannelBinding::of(const x509_st* certificate) {
  ChannelBinding binding;
  // X509_get_signature_info sees through RSA-PSS, whose hash is a parameter; it caches in the certificate,
  // which OpenSSL therefore does not take as const.
  X509* const subject = const_cast<X509*>(certificate);
  int hash = NID_undef;
  if (X509_get_signature_info(subject, &hash, nullptr, nullptr, nullptr) != 1) {
    ERR_clear_error();
    return binding;
  }
  const bool weak = hash == NID_md5 || hash == NID_sha1;
  const EVP_MD* const algorithm = weak ? EVP_sha256() : EVP_get_digestbynid(hash);
  unsigned int size = 0;
  if (algorithm == nullptr ||
      static_cast<std::size_t>(EVP_MD_get_size(algorithm)) > binding.bytes_.size() ||
      X509_digest(certificate, algorithm, reinterpret_cast<unsigned char*>(binding.bytes_.data()),
                  &size) != 1) {
    ERR_clear_error();
    return {};
  }
  binding.size_ = size;
  return binding;
}

}  // namespace pgring
