// How a login is made: by the first line of the hba file that fits it, or by auth.method.
//
// What:   find_login_rule decides; the texts of refusals are PostgreSQL's own.
// Life:   a rule lives as long as the configuration it is from.
// Source: PostgreSQL's src/backend/libpq/auth.c, ClientAuthentication and auth_failed.
#pragma once

#include <string>
#include <string_view>

#include "src/auth/hba.h"
#include "src/config/config.h"
#include "src/session/peer_address.h"

namespace pgring {

// Nobody is asked who is in which role: lines that want to know are refused when they are loaded.
class OnlyItself final : public Membership {
 public:
  [[nodiscard]] Known is_member(std::string_view role, std::string_view group) const override {
    return role == group ? Known::yes : Known::unknown;
  }
};

struct LoginRule {
  bool exists = false;  // false: no line of the hba file is for this login
  HbaMethod method = HbaMethod::reject;
  const HbaRule* line = nullptr;  // nullptr: auth.method
};

struct LoginAsked {
  PeerAddress peer;
  std::string_view database;
  std::string_view role;
  bool is_physical_replication = false;
  bool is_encrypted = false;
};

[[nodiscard]] LoginRule find_login_rule(const Config& config, const LoginAsked& asked);

// A certificate of the client is to be verified; and it is to name the role, by a map or as it is.
[[nodiscard]] bool wants_certificate(const HbaRule& line);
[[nodiscard]] bool names_role_by_certificate(const HbaRule& line);

// A login that only a stored secret can end well.
[[nodiscard]] bool needs_secret(HbaMethod method);

// "no pg_hba.conf entry for host …" or "pg_hba.conf rejects connection for host …".
[[nodiscard]] std::string refusal_text(const LoginRule& rule, const LoginAsked& asked);

// "file:line", for the log; empty without a line.
[[nodiscard]] std::string place_of(const LoginRule& rule);

}  // namespace pgring
