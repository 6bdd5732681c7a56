// SHOW STATEMENTS: the prepared statements the pools know, and where copies of them are.
#include <algorithm>

#include "src/console/show.h"
#include "src/shard/shard.h"

namespace pgring::console {
namespace {

// Bytes of a statement's text that are shown.
constexpr std::size_t text_shown_max = 1000;

}  // namespace

// Those with the most users first.
Rows show_statements(std::vector<PoolStatements> pools, std::span<const ShardReport> reports) {
  StatementCopies copies;
  for (const auto& report : reports) {
    for (const auto& [id, count] : report.copies) {
      copies[id].servers += count.servers;
      copies[id].spared += count.spared;
    }
  }
  Rows rows{columns_of({.verb = Verb::show, .topic = Topic::statements})};
  for (auto& [pool, statements] : pools) {
    std::ranges::sort(statements, [](const auto& a, const auto& b) {
      return a.users != b.users ? a.users > b.users : a.id < b.id;
    });
    for (const auto& statement : statements) {
      const auto found = copies.find(statement.id);
      const CopiesReport copied = found == copies.end() ? CopiesReport{} : found->second;
      rows.text(pool.database);
      rows.text(pool.role);
      rows.text(statement.name);
      rows.number(statement.users);
      rows.number(copied.servers);
      rows.number(copied.spared);
      rows.number(statement.size);
      rows.text(statement.text);
    }
  }
  return rows;
}

Rows show_statements(const View& view) {
  std::vector<PoolStatements> pools;
  for (PoolHome* const home : view.shard.shared().placement.homes())
    pools.push_back({home->key, home->statements.rows(text_shown_max)});
  return show_statements(std::move(pools), view.reports);
}

}  // namespace pgring::console
