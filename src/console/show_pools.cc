// SHOW POOLS: one row for each (database, role), its parts on all shards added up.
#include <algorithm>
#include <map>

#include "src/config/config_names.h"
#include "src/console/show.h"
#include "src/shard/shard.h"

namespace pgring::console {
namespace {

constexpr std::uint64_t us_per_s = 1'000'000;

void add(PoolReport& sum, const PoolReport& part) {
  sum.key = part.key;
  sum.mode = part.mode;
  sum.wait_us_max = std::max(sum.wait_us_max, part.wait_us_max);
  for (const auto member :
       {&PoolReport::clients, &PoolReport::waiting, &PoolReport::cancels_sent,
        &PoolReport::cancels_waiting, &PoolReport::active, &PoolReport::being_canceled,
        &PoolReport::idle, &PoolReport::tested, &PoolReport::opening}) {
    sum.*member += part.*member;
  }
}

void put_row(Rows& rows, const PoolReport& pool) {
  rows.text(pool.key.database);
  rows.text(pool.key.role);
  rows.number(pool.clients - std::min(pool.clients, pool.waiting));
  rows.number(pool.waiting);
  rows.number(pool.cancels_sent);
  rows.number(pool.cancels_waiting);
  rows.number(pool.active);
  rows.number(pool.cancels_sent);  // each has a server connection of its own
  rows.number(pool.being_canceled);
  rows.number(pool.idle);
  rows.number(0);  // used: PgBouncer's for connections to be checked first
  rows.number(pool.tested);
  rows.number(pool.opening);
  rows.number(pool.wait_us_max / us_per_s);
  rows.number(pool.wait_us_max % us_per_s);
  rows.text(name_of(pool.mode));
  rows.null();
}

}  // namespace

Rows show_pools(const View& view) {
  std::map<PoolKey, PoolReport> sums;
  for (const auto& report : view.reports) {
    for (const auto& part : report.pools) add(sums[part.key], part);
  }
  // The console is a pool too, as in PgBouncer.
  const PoolKey console{"pgring", "pgring"};
  sums[console] = {.key = console,
                   .mode = PoolMode::statement,
                   .clients = view.shard.shared().console_clients.load()};
  Rows rows{columns_of({.verb = Verb::show, .topic = Topic::pools})};
  for (const auto& [key, pool] : sums) put_row(rows, pool);
  return rows;
}

}  // namespace pgring::console
