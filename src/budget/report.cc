#include "src/budget/report.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/budget/source.h"

namespace pgring {
namespace {

// A table with these lines fits a terminal of 200 columns: psql shows them as lines of one cell.
std::string in_lines(const std::vector<std::string>& sources) {
  constexpr std::size_t width = 80;
  std::string text;
  std::size_t line = 0;
  for (const auto& source : sources) {
    const bool fits = line + 2 + source.size() <= width;
    if (!text.empty()) text += fits ? "; " : ";\n";
    line = text.empty() || !fits ? source.size() : line + 2 + source.size();
    text += source;
  }
  return text;
}

// A pool that has moved to another database or server leaves its old limits behind.
bool is_in_use(const Budget& budget, const LimitNode& node) {
  return std::ranges::any_of(budget.pools(), [&](const auto& pool) {
    return std::ranges::find(pool->nodes, &node) != pool->nodes.end();
  });
}

Count waiting_at(const Budget& budget, const LimitNode& node) {
  Count waiting = 0;
  for (const auto& pool : budget.pools()) {
    if (std::ranges::find(pool->nodes, &node) != pool->nodes.end()) waiting += pool->unmet();
  }
  return waiting;
}

BudgetLine line_of(const Budget& budget, const Budget::Instance& instance, const LimitNode& node,
                   ring::Instant now) {
  BudgetLine line;
  line.scope = name_of(scope_of(instance, node));
  line.name = node.name;
  line.limit = Budget::limit_of(node, now);
  line.count = node.count;
  line.others = others_of(instance, node);
  line.waiting = waiting_at(budget, node);
  line.source = in_lines(sources_of(budget, instance, node, now));
  return line;
}

BudgetLine line_of(const Budget::Pool& pool, ring::Instant now) {
  BudgetLine line;
  line.scope = "pool";
  line.name = pool.terms.database + "/" + pool.terms.role;
  line.limit = Budget::allowed(pool, now);
  line.count = pool.count;
  line.waiting = pool.unmet();
  line.source = fmt::format("pool_size {}", pool.terms.size);
  if (pool.terms.reserve > 0)
    line.source += fmt::format(" + reserve_pool_size {}", pool.terms.reserve);
  if (pool.terms.size_min > 0)
    line.source += fmt::format("; min_pool_size {}", pool.terms.size_min);
  if (pool.terms.weight != 1) line.source += fmt::format("; weight {}", pool.terms.weight);
  if (is_superuser(pool)) line.source += "; superuser";
  return line;
}

}  // namespace

std::optional<Count> BudgetLine::headroom() const {
  if (!limit) return std::nullopt;
  return *limit > used() ? *limit - used() : 0;
}

std::vector<BudgetLine> budget_lines(const Budget& budget, ring::Instant now) {
  std::vector<BudgetLine> lines;
  std::vector<const Budget::Instance*> seen;
  for (const auto& [name, server] : budget.servers()) {
    const Budget::Instance& instance = *server.instance;
    if (std::ranges::find(seen, &instance) != seen.end()) continue;
    seen.push_back(&instance);
    const std::size_t first = lines.size();
    lines.push_back(line_of(budget, instance, instance.ceiling, now));
    for (const auto* const nodes : {&instance.entries, &instance.databases, &instance.roles}) {
      for (const auto& [key, node] : *nodes) {
        if (is_in_use(budget, node)) lines.push_back(line_of(budget, instance, node, now));
      }
    }
    for (const auto& pool : budget.pools()) {
      if (pool->instance == &instance) lines.push_back(line_of(*pool, now));
    }
    const std::string names = names_of(budget, instance);
    for (std::size_t i = first; i < lines.size(); ++i) lines[i].server = names;
  }
  return lines;
}

std::vector<SuperuserPool> superusers_among_pools(const Budget& budget) {
  std::vector<SuperuserPool> found;
  for (const auto& pool : budget.pools()) {
    if (!is_superuser(*pool)) continue;
    const auto& terms = pool->terms;
    const bool known = std::ranges::any_of(found, [&](const SuperuserPool& other) {
      return other.server == terms.server && other.role == terms.role;
    });
    if (!known) found.push_back({terms.server, terms.role, terms.database});
  }
  return found;
}

bool is_near_ceiling(const Budget& budget, const std::string& server, ring::Instant now) {
  const auto at = budget.servers().find(server);
  if (at == budget.servers().end()) return false;
  const Budget::Instance& instance = *at->second.instance;
  const auto limit = Budget::limit_of(instance.ceiling, now);
  const std::uint64_t margin = std::max<Count>(instance.keep_free, 2);
  return limit && instance.ceiling.used() + margin >= *limit;
}

}  // namespace pgring
