// The exchange of a login to PostgreSQL, from the startup message to ReadyForQuery: bytes in, bytes out. What
// the connection is for, and when its patience ends, is its owner's.
//
// Version: asks for protocol 3.2. PostgreSQL before 18 negotiates down to 3.0; a server that refuses instead is
//         asked for 3.0 by the logins that follow, until the next reload.
// Owner:  a Server or a Walsender, until it is logged in.
// Errors: error() has PostgreSQL's own, or says what pgring lacks or does not understand.
// Source: protocol-flow, "Start-up" and NegotiateProtocolVersion; sasl-authentication.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "src/auth/stored_secret.h"
#include "src/config/config.h"
#include "src/server/address.h"
#include "src/session/parameters.h"
#include "src/tls/certificate.h"
#include "wire/authentication.h"
#include "wire/error_response.h"
#include "wire/name_value.h"
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

  LoginExchange(std::string role, OnlyProtocol30 only_protocol_3_0)
      : role_{std::move(role)}, only_protocol_3_0_{std::move(only_protocol_3_0)} {}

  // Of the connection it goes over, where that is encrypted. Before begin().
  void bind_to(const ChannelBinding& binding) { binding_ = binding; }
  // Another connection: begin() has been, and what it gave is to be sent again.
  void begin_again();
  // Appends the startup message, which comes first.
  void begin(std::span<const wire::NameValue> parameters, std::string& out);
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
  // Failed: before it asked for anything the server said that such a connection may not be, as pg_hba.conf decides.
  // It may be with TLS, or without.
  [[nodiscard]] bool refused_at_once() const;

 private:
  [[nodiscard]] Outcome message(char type, std::span<const std::byte> body,
                                const LoginSecrets& secrets, std::string& answer);
  [[nodiscard]] Outcome negotiated(std::span<const std::byte> body);
  [[nodiscard]] Outcome refused(std::optional<wire::ParsedError> error);
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
  OnlyProtocol30 only_protocol_3_0_;  // the server's
  std::uint32_t minor_ = 0;           // of protocol 3, as asked for
  bool negotiated_ = false;           // NegotiateProtocolVersion came
  bool taken_ = false;  // an authentication request came: the server speaks our version
  std::string input_;   // received and not yet used; bounded
  ParameterList parameters_;
  ChannelBinding binding_;
  std::unique_ptr<wire::ScramClient> scram_;
  bool authenticated_ = false;
  std::uint32_t backend_pid_ = 0;
  std::string cancel_secret_;
  wire::ParsedError error_;
};

}  // namespace pgring
