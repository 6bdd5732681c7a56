#include "src/tls/negotiation.h"

#include <doctest/doctest.h>

#include <string_view>

namespace pgring {
namespace {

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span{text}); }

TEST_CASE("tls negotiation: only the answer alone is an answer") {
  CHECK(ssl_answer({}) == SslAnswer::need_more);
  CHECK(ssl_answer(bytes("S")) == SslAnswer::accepted);
  CHECK(ssl_answer(bytes("N")) == SslAnswer::refused);
  // CVE-2021-23222: what stands behind it did not come through TLS.
  CHECK(ssl_answer(bytes("SZ")) == SslAnswer::injected);
  CHECK(ssl_answer(bytes("S\x16\x03")) == SslAnswer::injected);
  CHECK(ssl_answer(bytes("NR")) == SslAnswer::injected);
  // CVE-2024-10977.
  CHECK(ssl_answer(bytes("EFATAL: send your password in clear")) == SslAnswer::error);
  CHECK(ssl_answer(bytes("G")) == SslAnswer::malformed);
  CHECK(ssl_answer(bytes("\x16\x03\x01")) == SslAnswer::malformed);
}

TEST_CASE("tls negotiation: a client that begins with TLS is told by its first byte") {
  CHECK(begins_with_tls(bytes("\x16\x03\x01")));
  CHECK(begins_with_tls(bytes("\x16")));
  CHECK(!begins_with_tls(std::as_bytes(std::span{"\0\0\0\x08\x04\xd2\x16\x2f", 8})));
}

TEST_CASE("tls negotiation: the modes try what libpq tries") {
  const auto row = [](TlsMode mode) {
    const TlsAttempts attempts = tls_attempts(mode);
    return std::string{attempts.tls_first ? "tls first" : "plain first"} +
           (attempts.plain_allowed ? ", plain" : "") + (attempts.tls_allowed ? ", tls" : "");
  };
  CHECK(row(TlsMode::disable) == "plain first, plain");
  CHECK(row(TlsMode::allow) == "plain first, plain, tls");
  CHECK(row(TlsMode::prefer) == "tls first, plain, tls");
  CHECK(row(TlsMode::require) == "tls first, tls");
  CHECK(row(TlsMode::verify_ca) == "tls first, tls");
  CHECK(row(TlsMode::verify_full) == "tls first, tls");
}

}  // namespace
}  // namespace pgring
