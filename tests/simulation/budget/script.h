// What happens to the simulated pools from outside, written down so that it can be replayed and made shorter.
//
// What:   a Script is a setup and a list of events; generate() makes one of a seed, describe() prints it, and
//         shortest_failing() takes events out of one that fails as long as it still does.
// Units:  instants since the start of the run.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ring/clock.h"
#include "src/budget/budget.h"

namespace sim::budget {

using ring::Duration;
using ring::Instant;

// Mistakes the model makes on purpose, to show that the checks see them.
enum class Mistake : std::uint8_t {
  none,
  permit_back_too_early,  // when closing begins, not when PostgreSQL has closed
  last_in_first_out,      // of waiters
  others_not_counted,
  gives_nothing_up,  // nobody claims what the budget wants back
  no_promises,       // a released connection stays on its shard
};

struct PoolSetup {
  pgring::PoolTerms terms;
  std::vector<std::uint32_t> shards;  // by part
};

struct Setup {
  std::uint64_t seed = 0;
  std::uint32_t shards = 1;
  // The longest each thing takes; the shortest is a tenth of it.
  Duration mail{};         // a message from shard to shard
  Duration network{};      // one way to PostgreSQL
  Duration login{};        // from connect() to ReadyForQuery
  Duration closing{};      // from Terminate until the slot is free
  Duration quiesce{};      // until nothing is in flight on a connection that moves
  Duration order_slack{};  // src/pool/pool.cc
  Duration rested{};       // likewise
  std::uint32_t max_connections = 100, superuser_reserved = 3, reserved = 0;
  std::map<std::string, pgring::ServerTerms> servers;  // names of the one instance
  std::map<std::string, pgring::ServerLimits::Role> roles;
  std::map<std::string, std::optional<pgring::Count>> databases;
  std::vector<PoolSetup> pools;
  Duration calm{};  // how long all goes on after the last event
  // Every pool has more clients than it can get connections, until the end: shares must become right and stay.
  bool overload = false;
  Mistake mistake = Mistake::none;
};

enum class EventKind : std::uint8_t {
  client,     // of pool `subject` on `part`: `count` transactions of `length`, `pause` between them
  impatient,  // the same, one transaction, and it leaves after waiting for `pause`
  direct,     // `count` connections of role `subject` that are not ours, for `length`
  restart,    // PostgreSQL is away for `length`; then max_connections is `count`
  crash,      // a backend died: all are started anew, without a new start time
  kill,       // the backend of one of our connections, by `subject`
  reset,      // one of our connections breaks; its backend notices after `length`
  slow_close,  // closing takes up to `length` from now on
  alter_role,  // CONNECTION LIMIT `count` (or none) for role `subject`
  alter_database,
  pool_size,  // reload: pool `subject` has size `count`
  pool_weight,
  pool_min,
  keep_free,  // reload
  cap,        // reload: server.max_connections
  pause,      // pool `subject`
  resume,
};
inline constexpr std::uint32_t no_limit = 0xffff;

struct Event {
  Instant at{};
  EventKind kind = EventKind::client;
  std::uint32_t subject = 0, part = 0, count = 0;
  Duration length{}, pause{};
};

struct Script {
  Setup setup;
  std::vector<Event> events;  // by time
};

// What went wrong, and a name for it that does not change with the numbers.
struct Failure {
  std::string kind;
  std::string text;
};

enum class Mode : std::uint8_t {
  exact,     // no delays between shards: the order of service is the order of arrival
  general,   // everything happens
  overload,  // few events, then nothing but too many clients
};
[[nodiscard]] Script generate(std::uint64_t seed, Mode mode);

[[nodiscard]] std::string describe(const Script& script);

// REQUIRES: run(script) fails. The shortest list found from which no event can be left out.
[[nodiscard]] Script shortest_failing(
    Script script, const std::function<std::optional<Failure>(const Script&)>& run);

}  // namespace sim::budget
