// The exchange of a login to PostgreSQL, from the answer to the startup message to ReadyForQuery: bytes in,
// bytes out. What the connection is for, and when its patience ends, is its owner's.
//
// Owner:  a Server or a Walsender, until it is logged in.
// Errors: error() has PostgreSQL's own, or says what pgring lacks or does not understand.
// Source: protocol-flow, "Start-up"; sasl-authentication.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "src/auth/stored_secret.h"
#include "src/config/config.h"
#include "src/session/parameters.h"
#include "wire/authentication.h"
#include "wire/error_response.h"
#include "wire/scram.h"

namespace pgring {

// What a role can log in to PostgreSQL with.
struct LoginSecrets {
  std::optional<StoredSecret> stored;
  std::optional<wire::ScramKeys> keys;  // SCRAM pass-through: what a client's login revealed
};

// The secret stored for a role's connections of a database: its entry's own, else the list's.
[[nodiscard]] std::optional<StoredSecret> stored_login_secret(const Config& config,
                                                              std::string_view database,
                                                              std::string_view role);

class LoginExchange {
 public:
  enum class Outcome : std::uint8_t { unfinished, ready, failed };

  explicit LoginExchange(std::string role) : role_{std::move(role)} {}

  // Takes what the server sent and appends to `answer` what is to be sent now. REQUIRES: unfinished so far.
  [[nodiscard]] Outcome receive(std::span<const std::byte> bytes, const LoginSecrets& secrets,
                                std::string& answer);

  // Known once the server has told; 0 before.
  [[nodiscard]] std::uint32_t backend_pid() const { return backend_pid_; }
  [[nodiscard]] const std::string& cancel_secret() const { return cancel_secret_; }
  [[nodiscard]] ParameterList take_parameters() { return std::move(parameters_); }
  // Ready: what came right behind ReadyForQuery.
  [[nodiscard]] std::string take_rest() { return std::move(input_); }
  [[nodiscard]] wire::ParsedError take_error() { return std::move(error_); }

 private:
  [[nodiscard]] Outcome message(char type, std::span<const std::byte> body,
                                const LoginSecrets& secrets, std::string& answer);
  [[nodiscard]] Outcome authenticate(std::span<const std::byte> body, const LoginSecrets& secrets,
                                     std::string& answer);
  // No salt: in clear text.
  [[nodiscard]] Outcome answer_password(std::optional<std::span<const std::byte, 4>> salt,
                                        const LoginSecrets& secrets, std::string& answer);
  [[nodiscard]] Outcome answer_sasl(const wire::Authentication& request,
                                    const LoginSecrets& secrets, std::string& answer);
  [[nodiscard]] Outcome no_password(std::string_view method);
  [[nodiscard]] Outcome fail(std::string_view sqlstate, std::string message, std::string hint = {});

  std::string role_;
  std::string input_;  // received and not yet used; bounded
  ParameterList parameters_;
  std::unique_ptr<wire::ScramClient> scram_;
  bool authenticated_ = false;
  std::uint32_t backend_pid_ = 0;
  std::string cancel_secret_;
  wire::ParsedError error_;
};

}  // namespace pgring
