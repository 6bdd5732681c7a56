// What servers say of themselves, made into limits; and the permits whose connections nobody saw end.
#include <algorithm>

#include "src/base/check.h"
#include "src/budget/budget.h"

namespace pgring {
namespace {

Count minus(Count from, std::uint64_t what) {
  return what >= from ? 0 : from - static_cast<Count>(what);
}

std::optional<Count> smaller(std::optional<Count> a, std::optional<Count> b) {
  if (!a || !b) return a ? a : b;
  return std::min(*a, *b);
}

Count others_at(const std::map<std::string, Count>& by_name, const std::string& name) {
  const auto at = by_name.find(name);
  return at == by_name.end() ? 0 : at->second;
}

// A role that may not read the system identifier gives none: the start, in microseconds, tells enough.
bool same(const InstanceId& a, const InstanceId& b) {
  return a.started_us == b.started_us && (a.system_identifier == b.system_identifier ||
                                          a.system_identifier == 0 || b.system_identifier == 0);
}

bool is_restart(const InstanceId& before, const InstanceId& after) {
  return (before.system_identifier == after.system_identifier || before.system_identifier == 0 ||
          after.system_identifier == 0) &&
         before.started_us < after.started_us;
}

}  // namespace

void Budget::refresh_limits(Instance& instance) {
  instance.cap.reset();
  instance.keep_free = 0;
  for (const auto& [name, server] : servers_) {
    if (server.instance != &instance) continue;
    instance.cap = smaller(instance.cap, server.terms.max_connections);
    instance.keep_free = std::max(instance.keep_free, server.terms.keep_free);
  }
  const auto forget = [](std::map<std::string, LimitNode>& nodes) {
    for (auto& [name, node] : nodes) node.configured.reset();
  };
  forget(instance.entries);
  forget(instance.roles);
  instance.ceiling.configured = instance.cap;
  for (const Pool* const pool : instance.pools) {
    LimitNode& entry = *pool->nodes[1];
    LimitNode& role = *pool->nodes[3];
    entry.configured = smaller(entry.configured, pool->terms.database_max);
    role.configured = smaller(role.configured, pool->terms.role_max);
  }

  instance.ceiling.limit = instance.ceiling.configured;
  for (auto& [name, node] : instance.entries) node.limit = node.configured;
  for (auto& [name, node] : instance.roles) node.limit = node.configured;
  if (!instance.limits) {
    if (instance.silent && !instance.cap)
      instance.ceiling.limit = minus(
          assumed_max_connections, std::uint64_t{assumed_superuser_reserved} + instance.keep_free);
    return;
  }
  const ServerLimits& said = *instance.limits;
  const auto free =
      minus(said.max_connections, std::uint64_t{said.superuser_reserved} + said.reserved +
                                      instance.keep_free + said.others);
  instance.ceiling.limit = smaller(instance.cap, free);
  for (auto& [name, node] : instance.databases) {
    node.limit.reset();
    const auto found = said.databases.find(name);
    if (found != said.databases.end() && found->second)
      node.limit = minus(*found->second, others_at(said.others_by_database, name));
  }
  for (auto& [name, node] : instance.roles) {
    const auto found = said.roles.find(name);
    if (found == said.roles.end() || !found->second.limit || found->second.superuser) continue;
    node.limit =
        smaller(node.limit, minus(*found->second.limit, others_at(said.others_by_role, name)));
  }
  for (Pool* const pool : instance.pools) {
    const auto role = said.roles.find(pool->terms.role);
    pool->superuser = role != said.roles.end() && role->second.superuser;
  }
}

// A server has told which instance it is: all names of one instance share its budget. True: it was started again,
// so that nothing of before is left.
bool Budget::join(Server& server, const InstanceId& id) {
  Instance* const left = server.instance;
  if (left->id && same(*left->id, id)) {
    if (id.system_identifier != 0) left->id = id;
    return false;
  }
  const auto found = std::ranges::find_if(
      instances_, [&](const auto& instance) { return instance->id && same(*instance->id, id); });
  Instance* target = found == instances_.end() ? nullptr : found->get();
  const bool shared = std::ranges::any_of(servers_, [&](const auto& other) {
    return &other.second != &server && other.second.instance == left;
  });
  const bool known = left->id.has_value();
  if (target == nullptr && (!known || !shared || is_restart(*left->id, id))) {
    // The first login; or it was started again, and its other names with it, until they tell otherwise.
    left->id = id;
    return known;
  }
  if (target == nullptr) {
    instances_.push_back(std::make_unique<Instance>());
    target = instances_.back().get();
    target->id = id;
    target->ceiling.name = left->ceiling.name;
  }
  server.instance = target;
  for (const auto& pool : pools_) {
    if (&servers_.at(pool->terms.server) == &server) attach(*pool);
  }
  refresh_limits(*left);
  if (!shared) std::erase_if(instances_, [left](const auto& each) { return each.get() == left; });
  return false;  // that one's lost connections are its own
}

void Budget::learned(const std::string& name, const ServerLimits& limits,
                     std::span<const std::uint32_t> alive, ring::Instant asked, ring::Instant now,
                     BudgetActions& actions) {
  const auto at = servers_.find(name);
  if (at == servers_.end())
    return;  // taken out of the configuration meanwhile: nothing is due to it
  Server& server = at->second;
  // An answer may be overtaken by a later one, of another connection.
  const auto old = [asked](const Instance& instance) {
    return instance.limits && asked < instance.asked;
  };
  if (old(*server.instance)) return;
  const bool another = join(server, limits.id);
  Instance& instance = *server.instance;
  if (!old(instance)) {
    instance.limits = limits;
    instance.asked = asked;
    instance.learned = now;
    instance.doubted_until = {};
    instance.silent = false;
    const auto forget_old_news = [asked](LimitNode& node) {
      if (node.news_since <= asked) node.news.reset();
    };
    forget_old_news(instance.ceiling);
    for (auto& [key, node] : instance.databases) forget_old_news(node);
    for (auto& [key, node] : instance.roles) forget_old_news(node);
    return_lost(instance, alive, asked, now, another);
  }
  refresh_limits(instance);
  settle(instance, now, actions);
}

void Budget::not_told(const std::string& name, ring::Instant now, BudgetActions& actions) {
  const auto at = servers_.find(name);
  if (at == servers_.end()) return;
  Instance& instance = *at->second.instance;
  instance.silent = !instance.limits;
  instance.doubted_until = {};  // it is there, and there is nothing to wait for
  refresh_limits(instance);
  settle(instance, now, actions);
}

void Budget::return_lost(Instance& instance, std::span<const std::uint32_t> alive,
                         ring::Instant asked, ring::Instant now, bool another) {
  for (Pool* const pool : instance.pools) {
    std::erase_if(pool->lost, [&](Pool::Lost& lost) {
      if (lost.since >= asked) return false;  // the answer says nothing of it
      // One that never told its pid cannot be looked for. After a restart, or when it has closed its socket,
      // it is gone: an answer came from the server since.
      bool over = lost.pid == 0 && (another || lost.by == LostBy::reset);
      if (lost.pid != 0) {
        over = !std::ranges::binary_search(alive, lost.pid);
        if (!over) lost.seen = now;
      }
      if (over) add(*pool, PermitState::lost, -1);
      return over;
    });
  }
}

void Budget::forget_old_lost(Instance& instance, ring::Instant now) {
  for (Pool* const pool : instance.pools) {
    std::erase_if(pool->lost, [&](const Pool::Lost& lost) {
      const bool over = now - lost.seen >= times_.lost_max;
      if (over) add(*pool, PermitState::lost, -1);
      return over;
    });
  }
}

}  // namespace pgring
