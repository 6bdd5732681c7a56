#include <fmt/format.h>

#include <algorithm>
#include <cstddef>

#include "tests/simulation/budget/script.h"

namespace sim::budget {
namespace {

std::string_view name_of(EventKind kind) {
  switch (kind) {
    case EventKind::client:
      return "client";
    case EventKind::impatient:
      return "impatient client";
    case EventKind::direct:
      return "direct";
    case EventKind::restart:
      return "restart";
    case EventKind::crash:
      return "crash";
    case EventKind::kill:
      return "kill";
    case EventKind::reset:
      return "reset";
    case EventKind::slow_close:
      return "slow close";
    case EventKind::alter_role:
      return "alter role";
    case EventKind::alter_database:
      return "alter database";
    case EventKind::pool_size:
      return "pool_size";
    case EventKind::pool_weight:
      return "weight";
    case EventKind::pool_min:
      return "min_pool_size";
    case EventKind::keep_free:
      return "keep_free";
    case EventKind::cap:
      return "max_connections";
    case EventKind::pause:
      return "pause";
    case EventKind::resume:
      return "resume";
  }
  return "?";
}

double milliseconds(Duration time) { return static_cast<double>(time.count()) / 1e6; }

}  // namespace

std::string describe(const Script& script) {
  const Setup& setup = script.setup;
  std::string text = fmt::format(
      "seed {}: {} shards, max_connections {}, reserved {}+{}, mail {} ms, network {} ms, login {} "
      "ms, "
      "closing {} ms\n",
      setup.seed, setup.shards, setup.max_connections, setup.superuser_reserved, setup.reserved,
      milliseconds(setup.mail), milliseconds(setup.network), milliseconds(setup.login),
      milliseconds(setup.closing));
  for (const auto& [name, terms] : setup.servers) {
    text += fmt::format("  server {}: max_connections {}, keep_free {}\n", name,
                        terms.max_connections ? fmt::to_string(*terms.max_connections) : "auto",
                        terms.keep_free);
  }
  const auto limit = [](const auto& value) { return value ? fmt::to_string(*value) : "-"; };
  for (const auto& [name, role] : setup.roles)
    text += fmt::format("  role {}: limit {}{}\n", name, limit(role.limit),
                        role.superuser ? ", superuser" : "");
  for (const auto& [name, value] : setup.databases)
    text += fmt::format("  database {}: limit {}\n", name, limit(value));
  for (std::size_t i = 0; i < setup.pools.size(); ++i) {
    const auto& terms = setup.pools[i].terms;
    text += fmt::format(
        "  pool {}: {}/{}/{} size {} min {} reserve {} after {} ms weight {} database_max {} "
        "role_max {} parts {}\n",
        i, terms.server, terms.dbname, terms.role, terms.size, terms.size_min, terms.reserve,
        milliseconds(terms.reserve_after), terms.weight, limit(terms.database_max),
        limit(terms.role_max), setup.pools[i].shards.size());
  }
  for (const Event& event : script.events) {
    text +=
        fmt::format("  {:10.3f} ms {}: subject {} part {} count {} length {} ms pause {} ms\n",
                    milliseconds(event.at.time_since_epoch()), name_of(event.kind), event.subject,
                    event.part, event.count, milliseconds(event.length), milliseconds(event.pause));
  }
  return text;
}

// Delta debugging: leave out ever smaller pieces as long as what is left fails in the same way. Source:
// Zeller, Hildebrandt: Simplifying and Isolating Failure-Inducing Input, 2002.
Script shortest_failing(Script script,
                        const std::function<std::optional<Failure>(const Script&)>& run) {
  const auto failure = run(script);
  if (!failure) return script;
  std::size_t piece = std::max<std::size_t>(script.events.size() / 2, 1);
  for (;;) {
    bool shorter = false;
    for (std::size_t first = 0; first < script.events.size();) {
      Script candidate{.setup = script.setup, .events = {}};
      const std::size_t end = std::min(first + piece, script.events.size());
      for (std::size_t i = 0; i < script.events.size(); ++i) {
        if (i < first || i >= end) candidate.events.push_back(script.events[i]);
      }
      const auto still = run(candidate);
      if (still && still->kind == failure->kind) {
        script = std::move(candidate);
        shorter = true;
      } else {
        first = end;
      }
    }
    if (piece == 1 && !shorter) return script;
    if (!shorter || piece > script.events.size()) piece = std::max<std::size_t>(piece / 2, 1);
  }
}

}  // namespace sim::budget
