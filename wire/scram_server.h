// scram_server.h: our side of SCRAM-SHA-256 when a client logs in to pgring.
//
//   expect client-first -> expect client-final -> succeeded
//            |                    |
//            +--------------------+-> failed      (nothing is accepted any more)
//
// Owner:  the login of one client.
// Life:   one login; holds the client's ClientKey afterwards, so that pgring can log in to
//         PostgreSQL as that role without knowing the password (pass-through). Wiped at the end.
// Errors: `malformed` is a broken client (08P01, 0A000), `refused` a wrong password (28P01; the
//         caller adds `for user "…"` as PostgreSQL does). For a user that does not exist the same
//         steps are done with a mock secret and end in `refused`.
// Source: RFC 5802 section 3 and 7; PostgreSQL src/backend/libpq/auth-scram.c.
#ifndef WIRE_SCRAM_SERVER_H_
#define WIRE_SCRAM_SERVER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wire/scram_message.h"
#include "wire/scram_secret.h"

namespace wire {

enum class ScramUser : std::uint8_t { real, mock };

enum class ScramServerStep : std::uint8_t {
  send_continue,  // send `data` in AuthenticationSASLContinue, wait for the next message
  succeeded,      // send `data` in AuthenticationSASLFinal, then AuthenticationOk
  refused,        // wrong password, or no such user
  malformed,      // `error` says what
};

struct [[nodiscard]] ScramServerReply {
  ScramServerStep step;
  std::string data;
  ScramError error;
};

class ScramServer {
 public:
  // `nonce`: make_scram_nonce(), for this login only. A mock user never succeeds.
  ScramServer(ScramSecret secret, ScramUser user, std::string nonce);
  ~ScramServer();
  ScramServer(const ScramServer&) = delete;
  ScramServer& operator=(const ScramServer&) = delete;

  // Before receive(): whether the client has chosen SCRAM-SHA-256-PLUS, where it was offered. `data` is that of
  // tls-server-end-point.
  void bind(ScramBinding binding, std::string_view data);
  // The data of SASLInitialResponse, then of SASLResponse.
  ScramServerReply receive(std::string_view message);

  // After `succeeded`; nullopt before.
  [[nodiscard]] std::optional<ScramKeys> keys() const;

 private:
  enum class Phase : std::uint8_t { client_first, client_final, succeeded, failed };

  ScramServerReply receive_client_first(std::string_view text);
  ScramServerReply receive_client_final(std::string_view text);
  ScramServerReply fail(const ScramError& error);
  ScramServerReply refuse();

  // Constant after construction.
  ScramSecret secret_;
  ScramUser user_;
  std::string server_nonce_;

  // Of the messages so far.
  Phase phase_ = Phase::client_first;
  ScramBinding binding_ = ScramBinding::none;
  std::string binding_data_;
  std::string channel_binding_;
  std::string nonce_;         // the client's, then ours
  std::string auth_message_;  // client-first-bare "," server-first
  ScramKey client_key_{};
};

}  // namespace wire

#endif  // WIRE_SCRAM_SERVER_H_
