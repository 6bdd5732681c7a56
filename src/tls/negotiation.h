// What is said in plaintext before TLS, and the traps in it.
//
// What:   which of TLS and plaintext a mode tries, the server's answer to an SSLRequest, and the first byte of a
//         client that begins with TLS.
// Why:    whoever sits between the peers can put bytes behind the request or the answer, which come from the
//         socket together with it. Taken for the first bytes of the encrypted session they are commands the
//         client never sent, or rows the server never sent (CVE-2021-23214, CVE-2021-23222, CVE-2021-3935).
//         So nothing that was received with them may be kept: it ends the connection.
// Errors: none.
// Source: protocol-flow, "SSL Session Encryption"; libpq-ssl, "SSL Mode Descriptions".
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "src/tls/tls_options.h"

namespace pgring {

// What libpq does towards a server.
struct TlsAttempts {
  bool tls_first = false;      // else plaintext first
  bool plain_allowed = false;  // first, or after a server that refused TLS
  bool tls_allowed = false;    // first, or after a server that refused plaintext (mode "allow")
};
[[nodiscard]] TlsAttempts tls_attempts(TlsMode mode);

// A client that sends a TLS record instead of a startup packet (sslnegotiation=direct, PostgreSQL 17). No
// startup packet begins so: its length would be 369 MB. REQUIRES: !received.empty().
[[nodiscard]] bool begins_with_tls(std::span<const std::byte> received);

enum class SslAnswer : std::uint8_t {
  need_more,  // nothing was received yet
  accepted,   // "S": the handshake may begin
  refused,    // "N"
  // "E": an error message from before the server knew whom it talks to, or from somebody else. Its text is not
  // to be shown (CVE-2024-10977).
  error,
  injected,   // something behind the answer, which only TLS could vouch for
  malformed,  // no answer at all
};
// All that was received since the SSLRequest was sent.
[[nodiscard]] SslAnswer ssl_answer(std::span<const std::byte> received);

}  // namespace pgring
