// replication.h: the startup parameter `replication`, read as PostgreSQL reads it.
//
// Source: PostgreSQL docs protocol-replication; src/backend/tcop/backend_startup.c (ProcessStartupPacket),
//         src/backend/utils/adt/bool.c (parse_bool).

#ifndef WIRE_REPLICATION_H_
#define WIRE_REPLICATION_H_

#include <cstdint>
#include <optional>
#include <string_view>

namespace wire {

enum class Replication : std::uint8_t {
  none,      // an ordinary connection
  physical,  // a walsender that belongs to no database
  logical,   // "database": a walsender in a database, which also takes SQL
};

// Nothing: PostgreSQL refuses the value.
[[nodiscard]] std::optional<Replication> parse_replication(std::string_view value) noexcept;

[[nodiscard]] constexpr std::string_view name_of(Replication replication) noexcept {
  if (replication == Replication::none) return "none";
  return replication == Replication::physical ? "physical" : "logical";
}

}  // namespace wire

#endif  // WIRE_REPLICATION_H_
