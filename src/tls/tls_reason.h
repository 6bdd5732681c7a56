// OpenSSL's reasons in words. Every function leaves this thread's error queue empty: what stays in it would be
// taken for the next connection's failure (SSL_get_error(3)).
#pragma once

#include <string>

struct ssl_st;

namespace pgring {

// Of the error queued first, which is the cause of the others; "unknown error" where there is none.
[[nodiscard]] std::string take_openssl_reason();

// Likewise, after a call on `ssl` failed: with what is wrong with the peer's certificate, if that was it.
[[nodiscard]] std::string take_openssl_reason(const ssl_st* ssl);

}  // namespace pgring
