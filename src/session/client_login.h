// What a client needs while it logs in and not afterwards.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ring/timer_wheel.h"
#include "src/auth/found_secret.h"
#include "src/auth/secret_shapes.h"
#include "src/auth/stored_secret.h"
#include "src/pool/placement.h"
#include "src/server/address.h"
#include "src/session/login_rule.h"
#include "src/session/parameters.h"
#include "wire/scram.h"

namespace pgring {

struct ClientLogin {
  std::string input;              // received and not yet used; bounded
  bool encryption_asked = false;  // SSLRequest answered
  bool gss_asked = false;
  bool adopted = false;   // came from the shard that accepted it
  bool move_due = false;  // goes to another shard once what it was told is sent
  bool is_console = false;
  bool waiting = false;  // for a worker's answer: what comes meanwhile stays in `input`

  // How it is made, by the configuration it began with.
  std::shared_ptr<const Runtime> runtime;
  LoginRule rule;
  bool is_service_user = false;          // the console's, of the user that pgring runs as
  std::optional<std::string> peer_name;  // method peer: of the user at the other end
  bool peer_fits = false;                // and it may be the role

  // The exchange. A role without a secret goes through it to the same refusal.
  enum class Expected : std::uint8_t { scram, md5, clear_text };
  Expected expected = Expected::scram;
  SecretShape shape;
  StoredSecret secret;
  bool has_secret = false;
  bool made_asked = false;  // a SCRAM secret of a plain one
  std::array<std::byte, 4> md5_salt{};
  std::optional<wire::ScramKeys> keys;  // what a password in clear text revealed
  FoundSecretRef found;                 // by auth.query
  bool looks_up = false;                // it is asked, and `waiting`
  std::string log_detail;               // why it failed, for the log only

  // Slowed, since too many have failed: before it is checked, or before it is refused.
  ring::Timer hold;
  std::string_view refusal_sqlstate;  // of the refusal that waits; static text; empty: none does
  std::string refusal;
  bool sasl_chosen = false;
  std::unique_ptr<wire::ScramServer> scram;

  PoolKey key;
  PoolHome* home = nullptr;
  std::uint32_t part = 0;
  // Of a client that replicates: what its startup packet says besides user and database.
  std::vector<std::pair<std::string, std::string>> replication_parameters;
  Overrides asked;  // the startup packet's parameters, as the client spelled them
};

}  // namespace pgring
