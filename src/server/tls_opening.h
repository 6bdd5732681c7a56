// How a connection to a PostgreSQL server begins: in plaintext, by an SSLRequest, or with TLS at once.
//
// What:   what the server's mode tries, in which order, as libpq does. begin() when the socket is connected; what is
//         received while awaits_answer() is for received(); then the engine's end for opened() or handshake_failed().
// Again:  where the mode has another way (allow, prefer) and this one was refused, turn_round() says so and the owner
//         connects once more, with the same object.
// Owner:  a Server, Walsender or CancelConnection. Life: until it is logged in; the context it shares.
// Errors: Step::failed, and why() in words.
// Source: libpq-ssl, "SSL Mode Descriptions"; protocol-flow, "SSL Session Encryption".
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "src/config/config.h"
#include "src/shard/connection.h"
#include "src/tls/negotiation.h"

namespace pgring {

class TlsOpening {
 public:
  enum class Step : std::uint8_t {
    open,    // messages may be sent
    waits,   // for the server
    failed,  // nothing may be sent on this connection
  };

  TlsOpening() = default;  // plaintext
  // As [server.NAME.tls] has it.
  TlsOpening(const Config& config, std::string_view server);
  // Encrypted like a connection of that server, or not at all.
  TlsOpening(const Config& config, std::string_view server, const TlsEngine& like);

  [[nodiscard]] Step begin(Connection& connection);
  [[nodiscard]] bool awaits_answer() const { return awaits_answer_; }
  [[nodiscard]] Step received(Connection& connection, std::span<const std::byte> bytes);
  [[nodiscard]] static Step opened() { return Step::open; }
  [[nodiscard]] Step handshake_failed(const TlsEngine& engine);

  // After failed: for a reason that the other way may not have.
  [[nodiscard]] bool may_try_again() const { return may_try_again_; }
  // The next begin() goes the other way. False: the mode has none, or both have been tried.
  [[nodiscard]] bool turn_round();
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  [[nodiscard]] Step fail(std::string why, bool may_try_again);
  [[nodiscard]] Step begin_tls(Connection& connection);

  std::shared_ptr<const TlsContext> context_;  // null: plaintext only
  std::string host_;
  std::string why_;
  TlsAttempts attempts_;
  bool direct_ = false;
  bool encrypts_ = false;  // the present try
  bool turned_ = false;
  bool awaits_answer_ = false;
  bool may_try_again_ = false;
};

}  // namespace pgring
