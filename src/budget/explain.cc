// Why clients of a pool wait: which limit, who holds it, for how long, and what can be done about it.
#include <fmt/format.h>

#include <algorithm>

#include "src/base/check.h"
#include "src/base/units.h"
#include "src/budget/report.h"
#include "src/budget/source.h"

namespace pgring {
namespace {

// How many of those who hold a limit a text names.
constexpr std::size_t holders_shown_max = 8;

// Whole seconds, or milliseconds below one.
std::string time_text(ring::Duration time) {
  const auto exact =
      std::max(std::chrono::duration_cast<Duration>(time), Duration{std::chrono::milliseconds{1}});
  return format_duration(exact < std::chrono::seconds{1}
                             ? exact
                             : std::chrono::duration_cast<std::chrono::seconds>(exact));
}

// ", longest for 12s"; empty: none of its connections is in use.
std::string longest(const Budget::Pool& pool, ring::Instant now) {
  const std::int64_t since = pool.board->busy_since();
  if (since == PartBoard::nobody) return {};
  return ", longest for " + time_text(now - ring::Instant{ring::Duration{since}});
}

std::string name_of_pool(const Budget::Pool& pool) {
  return pool.terms.database + "/" + pool.terms.role;
}

// Pools with connections that count at the limit, those with most first.
std::vector<const Budget::Pool*> holders_of(const Budget& budget, const LimitNode& node) {
  std::vector<const Budget::Pool*> holders;
  for (const auto& pool : budget.pools()) {
    if (pool->used() > 0 && std::ranges::find(pool->nodes, &node) != pool->nodes.end())
      holders.push_back(pool.get());
  }
  std::ranges::sort(holders, [](const Budget::Pool* a, const Budget::Pool* b) {
    return a->used() != b->used() ? a->used() > b->used() : a->id < b->id;
  });
  return holders;
}

std::string holders_text(const Budget& budget, const LimitNode& node, ring::Instant now) {
  const auto holders = holders_of(budget, node);
  if (holders.empty()) return "nobody";
  std::string text;
  Count rest = 0;
  for (std::size_t i = 0; i < holders.size(); ++i) {
    const Budget::Pool& pool = *holders[i];
    if (i >= holders_shown_max) {
      rest += pool.used();
      continue;
    }
    text += fmt::format("{}{} {}{}", i == 0 ? "" : "; ", name_of_pool(pool), pool.used(),
                        longest(pool, now));
  }
  if (rest > 0)
    text += fmt::format("; {} other pools {}", holders.size() - holders_shown_max, rest);
  return text;
}

// The limit that is reached, of those the reason stands for; nullptr: none is any more.
const LimitNode* node_for(const Budget::Pool& pool, Reason reason, ring::Instant now) {
  for (const LimitNode* const node : pool.nodes) {
    const auto limit = Budget::limit_of(*node, now);
    const bool meant = node->reason == reason || reason == Reason::hysteresis;
    if (meant && limit && node->used() >= *limit) return node;
  }
  return nullptr;
}

std::string name_of_limit(const Budget& budget, const Budget::Instance& instance,
                          const LimitNode& node, ring::Instant now) {
  if (const auto key = binding_key(budget, instance, node, now); !key.empty()) return key;
  switch (scope_of(instance, node)) {
    case Scope::ceiling:
      return "server " + names_of(budget, instance);
    case Scope::database:
      return "CONNECTION LIMIT of database " + node.name;
    case Scope::role:
      return "CONNECTION LIMIT of role " + node.name;
    case Scope::entry:
      break;  // has a key
  }
  POOLER_UNREACHABLE();
}

std::string hint_for(const Budget& budget, const Budget::Instance& instance, const LimitNode& node,
                     ring::Instant now) {
  const std::string shorter = "Shorten transactions, or ";
  if (const auto key = binding_key(budget, instance, node, now); !key.empty())
    return shorter + "raise " + key + ".";
  switch (scope_of(instance, node)) {
    case Scope::ceiling:
      return shorter +
             "make room on the server: fewer connections past pgring, a smaller keep_free, or a "
             "larger max_connections in postgresql.conf.";
    case Scope::database:
      return fmt::format("{}raise it: ALTER DATABASE \"{}\" CONNECTION LIMIT n.", shorter,
                         node.name);
    case Scope::role:
      return fmt::format("{}raise it: ALTER ROLE \"{}\" CONNECTION LIMIT n.", shorter, node.name);
    case Scope::entry:
      break;
  }
  POOLER_UNREACHABLE();
}

// A limit that other pools may count against as well.
void explain_limit(WaitExplanation& why, const Budget& budget, const Budget::Pool& pool,
                   const LimitNode& node, ring::Instant now) {
  const Budget::Instance& instance = *pool.instance;
  const std::string name = name_of_limit(budget, instance, node, now);
  const std::string used = fmt::format("{} of {}", node.used(), *Budget::limit_of(node, now));
  why.limit = fmt::format("{}: {}", name, used);
  if (const auto holders = holders_of(budget, node); !holders.empty()) {
    const Budget::Pool& most = *holders.front();
    why.limit += fmt::format("; {} has {}{}", name_of_pool(most), most.used(), longest(most, now));
  }
  const auto sources = sources_of(budget, instance, node, now);
  why.detail += fmt::format(" The limit that stops it is {}: {} ({}), held by {}.", name, used,
                            fmt::join(sources, "; "), holders_text(budget, node, now));
  why.hint = hint_for(budget, instance, node, now);
}

void explain_pool_limit(WaitExplanation& why, const Budget::Pool& pool, ring::Instant now) {
  const auto& terms = pool.terms;
  const Count allowed = Budget::allowed(pool, now);
  why.limit = fmt::format("pool_size: {} of {}{}", pool.used(), allowed, longest(pool, now));
  why.detail += fmt::format(" The limit that stops it is its own, pool_size {}", terms.size);
  if (terms.reserve > 0) why.detail += fmt::format(" + reserve_pool_size {}", terms.reserve);
  why.detail += fmt::format(": {} of {}{}.", pool.used(), allowed, longest(pool, now));
  why.hint = "Shorten transactions, or raise pool_size if the server has room for more.";
}

// The reasons that pass by themselves.
void explain_moment(WaitExplanation& why, const Budget& budget, const Budget::Pool& pool,
                    ring::Instant now) {
  const auto& terms = pool.terms;
  const char* const slow = "Look at what keeps the server's logins: its log, and pgring's.";
  const Count opening = pool.of(PermitState::opening);
  switch (why.reason) {
    case Reason::opening:
      why.limit = opening == 0 ? std::string{"about to be opened"}
                               : fmt::format("{} being opened", opening);
      why.hint = slow;
      break;
    case Reason::burst:
      why.limit = fmt::format("{} being opened, as many as may at once", opening);
      why.hint = slow;
      break;
    case Reason::server:
      why.limit = fmt::format("server {}: limits not known yet", names_of(budget, *pool.instance));
      why.hint = slow;
      break;
    case Reason::moving:
      why.limit = "an idle one is on its way from another shard";
      break;
    case Reason::reserve:
      why.limit =
          fmt::format("pool_size: {} of {}{}; {} more after {}", pool.used(), terms.size,
                      longest(pool, now), terms.reserve,
                      format_duration(std::chrono::duration_cast<Duration>(terms.reserve_after)));
      why.hint = "Raise pool_size, or lower reserve_pool_timeout.";
      break;
    case Reason::backoff:
      why.limit = fmt::format("the last attempt to open one failed; next in {}",
                              time_text(pool.retry_at - now));
      why.hint = "pgring's log has the server's error: server login failed.";
      break;
    case Reason::hysteresis:
      why.limit = "an idle one of another pool was used a moment ago";
      break;
    case Reason::none:
    case Reason::ceiling:
    case Reason::database:
    case Reason::role:
    case Reason::pool:
      // The limit had been reached a moment ago.
      why.limit = fmt::format("{}: free again", name_of(why.reason));
      break;
  }
  why.detail += fmt::format(" What keeps it: {}.", why.limit);
}

}  // namespace

WaitExplanation explain_wait(const Budget& budget, PoolId id, ring::Instant now) {
  const Budget::Pool& pool = budget.pool(id);
  WaitExplanation why;
  why.reason = pool.reason;
  // Nothing keeps it: an idle connection of another part, or a permit that is on its way.
  if (why.reason == Reason::none)
    why.reason = pool.board->idle() > 0 && pool.of(PermitState::opening) == 0 ? Reason::moving
                                                                              : Reason::opening;
  why.detail = fmt::format("Pool {} has {} server connection{}.", name_of_pool(pool), pool.used(),
                           pool.used() == 1 ? "" : "s");
  if (why.reason == Reason::pool) {
    explain_pool_limit(why, pool, now);
  } else if (const auto* const node = node_for(pool, why.reason, now); node != nullptr) {
    explain_limit(why, budget, pool, *node, now);
  } else {
    explain_moment(why, budget, pool, now);
  }
  return why;
}

WaitExplanation explain_pause(const std::string& database) {
  return {.reason = Reason::none,
          .limit = "RESUME in the console ends it",
          .detail = fmt::format("Database {} is paused (PAUSE in pgring's console).", database),
          .hint = "RESUME in pgring's console ends the pause."};
}

}  // namespace pgring
