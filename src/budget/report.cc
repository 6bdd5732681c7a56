#include "src/budget/report.h"

#include <fmt/format.h>

#include <algorithm>

namespace pgring {
namespace {

std::string names_of(const Budget& budget, const Budget::Instance& instance) {
  std::string names;
  for (const auto& [name, server] : budget.servers()) {
    if (server.instance == &instance) names += (names.empty() ? "" : ",") + name;
  }
  return names;
}

// The ceiling's terms, as they are subtracted.
std::string ceiling_source(const Budget::Instance& instance) {
  std::string text;
  if (!instance.limits) {
    text = "not known before the first login";
  } else {
    const ServerLimits& said = *instance.limits;
    text = fmt::format(
        "max_connections {} - superuser_reserved_connections {} - reserved_connections {} - "
        "keep_free "
        "{} - others {}{}",
        said.max_connections, said.superuser_reserved, said.reserved, instance.keep_free,
        said.others, said.estimated ? " (estimated: GRANT pg_read_all_stats to count them)" : "");
  }
  if (instance.cap) text += fmt::format("; at most server max_connections {}", *instance.cap);
  return text;
}

std::string with_news(std::string source, const LimitNode& node, ring::Instant now) {
  if (!node.news || now >= node.news_until) return source;
  const bool none = source.empty();
  return source + (none ? "" : "; ") + "PostgreSQL refused another connection (53300)";
}

std::string database_source(const Budget::Instance& instance, const LimitNode& node) {
  if (!instance.limits) return {};
  const auto& said = *instance.limits;
  const auto at = said.databases.find(node.name);
  if (at == said.databases.end() || !at->second) return {};
  const auto others = said.others_by_database.find(node.name);
  return fmt::format("PostgreSQL's CONNECTION LIMIT {} - others {}", *at->second,
                     others == said.others_by_database.end() ? 0 : others->second);
}

std::string role_source(const Budget& budget, const Budget::Instance& instance,
                        const LimitNode& node) {
  std::string text;
  for (const auto& pool : budget.pools()) {
    if (pool->nodes[3] != &node || !pool->terms.role_max) continue;
    text = fmt::format("role max_connections {}", *pool->terms.role_max);
    break;
  }
  if (!instance.limits) return text;
  const auto& said = *instance.limits;
  const auto at = said.roles.find(node.name);
  if (at == said.roles.end()) return text;
  const std::string_view separator = text.empty() ? "" : "; ";
  if (at->second.superuser)
    return text + std::string{separator} +
           "superuser: exempt from PostgreSQL's role and database limits";
  if (!at->second.limit) return text;
  const auto others = said.others_by_role.find(node.name);
  return text + fmt::format("{}PostgreSQL's CONNECTION LIMIT {} - others {}", separator,
                            *at->second.limit,
                            others == said.others_by_role.end() ? 0 : others->second);
}

Count waiting_at(const Budget& budget, const LimitNode& node) {
  Count waiting = 0;
  for (const auto& pool : budget.pools()) {
    if (std::ranges::find(pool->nodes, &node) != pool->nodes.end()) waiting += pool->unmet();
  }
  return waiting;
}

BudgetLine line_of(const Budget& budget, const LimitNode& node, ring::Instant now) {
  BudgetLine line;
  line.name = node.name;
  line.limit = Budget::limit_of(node, now);
  line.count = node.count;
  line.waiting = waiting_at(budget, node);
  return line;
}

const LimitNode* node_that_stops(const Budget::Pool& pool, ring::Instant now) {
  for (const LimitNode* const node : pool.nodes) {
    const auto limit = Budget::limit_of(*node, now);
    if (limit && node->used() >= *limit) return node;
  }
  return nullptr;
}

}  // namespace

std::vector<BudgetLine> budget_lines(const Budget& budget, ring::Instant now) {
  std::vector<BudgetLine> lines;
  std::vector<const Budget::Instance*> seen;
  for (const auto& [name, server] : budget.servers()) {
    const Budget::Instance& instance = *server.instance;
    if (std::ranges::find(seen, &instance) != seen.end()) continue;
    seen.push_back(&instance);
    const std::string names = names_of(budget, instance);
    const auto add = [&](const LimitNode& node, std::string_view scope, std::string source) {
      BudgetLine line = line_of(budget, node, now);
      line.server = names;
      line.scope = scope;
      line.source = with_news(std::move(source), node, now);
      lines.push_back(std::move(line));
    };
    add(instance.ceiling, "ceiling", ceiling_source(instance));
    for (const auto& [key, node] : instance.entries)
      add(node, "entry", node.limit ? "database max_connections" : "");
    for (const auto& [key, node] : instance.databases)
      add(node, "database", database_source(instance, node));
    for (const auto& [key, node] : instance.roles)
      add(node, "role", role_source(budget, instance, node));
    for (const auto& pool : budget.pools()) {
      if (pool->instance != &instance) continue;
      BudgetLine line;
      line.server = names;
      line.scope = "pool";
      line.name = pool->terms.database + "/" + pool->terms.role;
      line.limit = Budget::allowed(*pool, now);
      line.count = pool->count;
      line.waiting = pool->unmet();
      line.source = fmt::format("pool_size {}", pool->terms.size);
      if (pool->terms.reserve > 0)
        line.source += fmt::format(" + reserve_pool_size {}", pool->terms.reserve);
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

std::string explain_wait(const Budget& budget, PoolId id, ring::Instant now) {
  const Budget::Pool& pool = budget.pool(id);
  std::string text =
      fmt::format("Pool {}/{} has {} server connections, pool_size is {}", pool.terms.database,
                  pool.terms.role, pool.used(), pool.terms.size);
  const LimitNode* const node = node_that_stops(pool, now);
  if (pool.sized() >= Budget::allowed(pool, now) || node == nullptr) {
    return text + fmt::format("; what stops another: {}.", name_of(pool.reason));
  }
  const Budget::Instance& instance = *pool.instance;
  std::string source;
  if (node == &instance.ceiling) {
    source = ceiling_source(instance);
  } else if (node == pool.nodes[2]) {
    source = database_source(instance, *node);
  } else if (node == pool.nodes[3]) {
    source = role_source(budget, instance, *node);
  } else {
    source = "database max_connections";
  }
  text +=
      fmt::format("; the limit of {} {} is reached: {} of {} ({})",
                  name_of(node->reason) == "ceiling" ? "server" : name_of(node->reason), node->name,
                  node->used(), *Budget::limit_of(*node, now), with_news(source, *node, now));
  std::string holders;
  for (const auto& other : budget.pools()) {
    if (other->used() == 0 || std::ranges::find(other->nodes, node) == other->nodes.end()) continue;
    holders += fmt::format("{}{}/{} {}", holders.empty() ? "" : ", ", other->terms.database,
                           other->terms.role, other->used());
  }
  return text + "; held by " + (holders.empty() ? "nobody" : holders) + ".";
}

}  // namespace pgring
