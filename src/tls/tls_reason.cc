#include "src/tls/tls_reason.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <array>
#include <cstring>

namespace pgring {
namespace {

std::string reason_of(unsigned long code) {
  if (code == 0) return "unknown error";
  // Of the operating system, which has no reason string in OpenSSL 3.
  if (ERR_SYSTEM_ERROR(code)) {
    std::array<char, 256> text{};
    return ::strerror_r(ERR_GET_REASON(code), text.data(), text.size());
  }
  const char* const reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "SSL error code " + std::to_string(code);
}

}  // namespace

std::string take_openssl_reason() {
  const unsigned long code = ERR_get_error();
  std::string reason = reason_of(code);
  ERR_clear_error();
  return reason;
}

std::string take_openssl_reason(const ssl_st* ssl) {
  const long verified = SSL_get_verify_result(ssl);
  unsigned long first = 0;
  bool unverified = false;
  while (const unsigned long code = ERR_get_error()) {
    if (first == 0) first = code;
    // A signature that does not fit is queued before it.
    if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED)
      unverified = verified != X509_V_OK;
  }
  if (!unverified) return reason_of(first);
  return std::string{"certificate verify failed: "} + X509_verify_cert_error_string(verified);
}

}  // namespace pgring
