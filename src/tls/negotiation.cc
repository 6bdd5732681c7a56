#include "src/tls/negotiation.h"

#include "src/base/check.h"

namespace pgring {

TlsAttempts tls_attempts(TlsMode mode) {
  switch (mode) {
    case TlsMode::disable:
      return {.tls_first = false, .plain_allowed = true, .tls_allowed = false};
    case TlsMode::allow:
      return {.tls_first = false, .plain_allowed = true, .tls_allowed = true};
    case TlsMode::prefer:
      return {.tls_first = true, .plain_allowed = true, .tls_allowed = true};
    case TlsMode::require:
    case TlsMode::verify_ca:
    case TlsMode::verify_full:
      return {.tls_first = true, .plain_allowed = false, .tls_allowed = true};
  }
  POOLER_UNREACHABLE();
}

bool begins_with_tls(std::span<const std::byte> received) {
  constexpr std::byte handshake_record{0x16};  // RFC 8446 section 5.1, ContentType
  return received.front() == handshake_record;
}

SslAnswer ssl_answer(std::span<const std::byte> received) {
  if (received.empty()) return SslAnswer::need_more;
  switch (static_cast<char>(received.front())) {
    case 'S':
      return received.size() == 1 ? SslAnswer::accepted : SslAnswer::injected;
    case 'N':
      return received.size() == 1 ? SslAnswer::refused : SslAnswer::injected;
    case 'E':
      return SslAnswer::error;
    default:
      return SslAnswer::malformed;
  }
}

}  // namespace pgring
