// scram_client.h: our side of SCRAM-SHA-256 when pgring logs in to PostgreSQL.
//
//   first_message() -> receive_first() -> receive_final() -> succeeded
//
// Owner:  the login of one server connection.
// Life:   one login. Holds a password or keys; wiped at the end.
// Errors: a server that breaks the rules, does not know our password's ServerKey, or wants more
//         than 1,000,000 iterations (CVE-2026-6669) is an error; the login must end there. With a
//         password receive_first() costs iterations × 0.3 µs.
// Source: RFC 5802 section 3 and 5; PostgreSQL src/interfaces/libpq/fe-auth-scram.c.
#ifndef WIRE_SCRAM_CLIENT_H_
#define WIRE_SCRAM_CLIENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wire/scram_message.h"
#include "wire/scram_secret.h"

namespace wire {

struct [[nodiscard]] ScramClientReply {
  std::optional<ScramError> error;
  std::string data;  // receive_first: send it in SASLResponse
};

class ScramClient {
 public:
  // `nonce`: make_scram_nonce(), for this login only.
  ScramClient(std::string_view password, std::string nonce);
  // Without a password: works where the server's secret is the one the keys belong to.
  ScramClient(const ScramKeys& keys, std::string nonce);
  ~ScramClient();
  ScramClient(const ScramClient&) = delete;
  ScramClient& operator=(const ScramClient&) = delete;

  // Before first_message(). In use: the mechanism is SCRAM-SHA-256-PLUS, and `data` that of tls-server-end-point.
  // Unused: we could and the server did not offer it, which it is told, for it may have.
  void bind(ScramBinding binding, std::string_view data);
  // For SASLInitialResponse.
  [[nodiscard]] std::string first_message() const;
  // The data of AuthenticationSASLContinue.
  ScramClientReply receive_first(std::string_view message);
  // The data of AuthenticationSASLFinal. No error: this is the server that knows the secret.
  // AuthenticationOk means nothing unless succeeded() is true.
  ScramClientReply receive_final(std::string_view message);
  [[nodiscard]] bool succeeded() const { return phase_ == Phase::succeeded; }

 private:
  enum class Phase : std::uint8_t { server_first, server_final, succeeded, failed };

  [[nodiscard]] std::string first_message_bare() const;
  ScramClientReply fail(const ScramError& error);

  // Constant after construction; the keys are made in receive_first() from a password.
  std::string password_;
  std::optional<ScramKeys> keys_;
  std::string client_nonce_;
  std::string_view binding_header_ = "n,,";  // static
  std::string binding_data_;

  // Of the messages so far.
  Phase phase_ = Phase::server_first;
  ScramKey server_signature_{};
};

}  // namespace wire

#endif  // WIRE_SCRAM_CLIENT_H_
