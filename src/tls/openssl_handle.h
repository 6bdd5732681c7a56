// Owners of OpenSSL's objects. For src/tls only: the rest of the pooler does not see OpenSSL.
#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

namespace pgring {

template <auto FreeFunction>
struct OpensslFree {
  template <class Object>
  void operator()(Object* object) const {
    FreeFunction(object);
  }
};

// BIO_free returns a value, which a deleter has no use for.
inline void free_bio(BIO* bio) { (void)BIO_free(bio); }

using BioHandle = std::unique_ptr<BIO, OpensslFree<free_bio>>;
using KeyHandle = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using CertificateHandle = std::unique_ptr<X509, OpensslFree<X509_free>>;
using CrlHandle = std::unique_ptr<X509_CRL, OpensslFree<X509_CRL_free>>;
using NamesHandle = std::unique_ptr<GENERAL_NAMES, OpensslFree<GENERAL_NAMES_free>>;
using SslContextHandle = std::unique_ptr<SSL_CTX, OpensslFree<SSL_CTX_free>>;

}  // namespace pgring
