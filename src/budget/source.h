// Where a limit comes from, in words: the settings that make it, and what they are now.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/budget/budget.h"

namespace pgring {

// The limits of an instance by what they hold for.
enum class Scope : std::uint8_t {
  ceiling,   // all of ours
  entry,     // an entry of [database]
  database,  // a database of the server
  role,      // a role of the server
};

[[nodiscard]] std::string_view name_of(Scope scope);
// REQUIRES: the limit is one of the instance's.
[[nodiscard]] Scope scope_of(const Budget::Instance& instance, const LimitNode& node);

// The names of the [server] entries that lead to it.
[[nodiscard]] std::string names_of(const Budget& budget, const Budget::Instance& instance);

// "max_connections 100 - superuser_reserved_connections 3 - keep_free 3 - others 5", and what else there is to
// say of it. Empty: none is set.
[[nodiscard]] std::vector<std::string> sources_of(const Budget& budget,
                                                  const Budget::Instance& instance,
                                                  const LimitNode& node, ring::Instant now);

// Connections that are not ours and count against the same limit; nullopt: not known, or none could.
[[nodiscard]] std::optional<Count> others_of(const Budget::Instance& instance,
                                             const LimitNode& node);

// The pool's role is a superuser on its server.
[[nodiscard]] bool is_superuser(const Budget::Pool& pool);

// The configuration's setting that makes the limit what it is, as a key: "server.main.max_connections".
// Empty: PostgreSQL's own settings do.
[[nodiscard]] std::string binding_key(const Budget& budget, const Budget::Instance& instance,
                                      const LimitNode& node, ring::Instant now);

}  // namespace pgring
