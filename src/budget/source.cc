#include "src/budget/source.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/base/check.h"

namespace pgring {
namespace {

using Sources = std::vector<std::string>;

bool has(const std::map<std::string, LimitNode>& nodes, const LimitNode& node) {
  const auto at = nodes.find(node.name);
  return at != nodes.end() && &at->second == &node;
}

Count found(const std::map<std::string, Count>& by_name, const std::string& name) {
  const auto at = by_name.find(name);
  return at == by_name.end() ? 0 : at->second;
}

// The entry of [server] whose max_connections is the smallest of the instance's.
const std::string* capping_server(const Budget& budget, const Budget::Instance& instance) {
  for (const auto& [name, server] : budget.servers()) {
    if (server.instance == &instance && instance.cap &&
        server.terms.max_connections == instance.cap)
      return &name;
  }
  return nullptr;
}

std::optional<Count> role_max(const Budget& budget, const LimitNode& node) {
  for (const auto& pool : budget.pools()) {
    if (pool->nodes[3] == &node && pool->terms.role_max) return pool->terms.role_max;
  }
  return std::nullopt;
}

// What the server itself leaves us: the terms as they are subtracted.
std::string ceiling_terms(const Budget::Instance& instance) {
  if (!instance.limits && instance.silent && instance.cap) return "not told by the server";
  if (!instance.limits && instance.silent)
    return fmt::format("not told by the server, assumed: max_connections {} - {} - keep_free {}",
                       assumed_max_connections, assumed_superuser_reserved, instance.keep_free);
  if (!instance.limits) return "not known before the first login";
  const ServerLimits& said = *instance.limits;
  std::string text = fmt::format("max_connections {} - superuser_reserved_connections {}",
                                 said.max_connections, said.superuser_reserved);
  // PostgreSQL has it since 16.
  if (said.reserved > 0) text += fmt::format(" - reserved_connections {}", said.reserved);
  return text + fmt::format(" - keep_free {} - others {}", instance.keep_free, said.others);
}

Sources ceiling_sources(const Budget& budget, const Budget::Instance& instance) {
  Sources sources{ceiling_terms(instance)};
  if (instance.limits && instance.limits->estimated)
    sources.emplace_back("others estimated: GRANT pg_read_all_stats to count them");
  if (const auto* const server = capping_server(budget, instance))
    sources.push_back(fmt::format("at most server.{}.max_connections {}", *server, *instance.cap));
  return sources;
}

Sources database_sources(const Budget::Instance& instance, const LimitNode& node) {
  if (!instance.limits) return {};
  const auto& said = *instance.limits;
  const auto at = said.databases.find(node.name);
  if (at == said.databases.end() || !at->second) return {};
  return {fmt::format("CONNECTION LIMIT {} - others {}", *at->second,
                      found(said.others_by_database, node.name))};
}

Sources role_sources(const Budget& budget, const Budget::Instance& instance,
                     const LimitNode& node) {
  Sources sources;
  if (const auto max = role_max(budget, node))
    sources.push_back(fmt::format("role.{}.max_connections {}", node.name, *max));
  if (!instance.limits) return sources;
  const auto& said = *instance.limits;
  const auto at = said.roles.find(node.name);
  if (at == said.roles.end()) return sources;
  if (at->second.superuser) {
    sources.emplace_back("superuser: could take reserved slots, held to the ceiling");
  } else if (at->second.limit) {
    sources.push_back(fmt::format("CONNECTION LIMIT {} - others {}", *at->second.limit,
                                  found(said.others_by_role, node.name)));
  }
  return sources;
}

}  // namespace

std::string_view name_of(Scope scope) {
  switch (scope) {
    case Scope::ceiling:
      return "ceiling";
    case Scope::entry:
      return "entry";
    case Scope::database:
      return "database";
    case Scope::role:
      return "role";
  }
  POOLER_UNREACHABLE();
}

Scope scope_of(const Budget::Instance& instance, const LimitNode& node) {
  if (&node == &instance.ceiling) return Scope::ceiling;
  if (has(instance.entries, node)) return Scope::entry;
  if (has(instance.databases, node)) return Scope::database;
  POOLER_CHECK(has(instance.roles, node));
  return Scope::role;
}

std::string names_of(const Budget& budget, const Budget::Instance& instance) {
  std::string names;
  for (const auto& [name, server] : budget.servers()) {
    if (server.instance == &instance) names += (names.empty() ? "" : ",") + name;
  }
  return names;
}

std::vector<std::string> sources_of(const Budget& budget, const Budget::Instance& instance,
                                    const LimitNode& node, ring::Instant now) {
  Sources sources;
  switch (scope_of(instance, node)) {
    case Scope::ceiling:
      sources = ceiling_sources(budget, instance);
      break;
    case Scope::entry:
      if (node.limit)
        sources = {fmt::format("database.{}.max_connections {}", node.name, *node.limit)};
      break;
    case Scope::database:
      sources = database_sources(instance, node);
      break;
    case Scope::role:
      sources = role_sources(budget, instance, node);
      break;
  }
  if (node.news && now < node.news_until)
    sources.emplace_back("PostgreSQL refused another connection (53300)");
  return sources;
}

std::optional<Count> others_of(const Budget::Instance& instance, const LimitNode& node) {
  if (!instance.limits) return std::nullopt;
  const ServerLimits& said = *instance.limits;
  switch (scope_of(instance, node)) {
    case Scope::ceiling:
      return said.others;
    case Scope::entry:
      return std::nullopt;  // clients that are not ours do not use it
    case Scope::database:
      return found(said.others_by_database, node.name);
    case Scope::role:
      return found(said.others_by_role, node.name);
  }
  POOLER_UNREACHABLE();
}

bool is_superuser(const Budget::Pool& pool) {
  if (!pool.instance->limits) return false;
  const auto& roles = pool.instance->limits->roles;
  const auto at = roles.find(pool.terms.role);
  return at != roles.end() && at->second.superuser;
}

std::string binding_key(const Budget& budget, const Budget::Instance& instance,
                        const LimitNode& node, ring::Instant now) {
  if (Budget::limit_of(node, now) != node.limit) return {};  // PostgreSQL has refused one
  switch (scope_of(instance, node)) {
    case Scope::ceiling:
      if (const auto* const server = capping_server(budget, instance);
          server != nullptr && node.limit == instance.cap)
        return fmt::format("server.{}.max_connections", *server);
      return {};
    case Scope::entry:
      return fmt::format("database.{}.max_connections", node.name);
    case Scope::database:
      return {};
    case Scope::role:
      if (const auto max = role_max(budget, node); max && node.limit == max)
        return fmt::format("role.{}.max_connections", node.name);
      return {};
  }
  POOLER_UNREACHABLE();
}

}  // namespace pgring
