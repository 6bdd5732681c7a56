// SHOW DATABASES and SHOW LISTS: what is configured, and what is there of it.
#include <map>
#include <set>

#include "src/config/config_names.h"
#include "src/console/show.h"
#include "src/shard/shard.h"

namespace pgring::console {
namespace {

struct Usage {
  std::uint64_t connections = 0;  // all that count against max_connections
  std::uint64_t clients = 0;
};

// Every database there is: those configured by name, and those that "*" made.
std::map<std::string, Usage, std::less<>> databases_of(const View& view) {
  std::map<std::string, Usage, std::less<>> databases;
  for (const auto& [name, database] : view.shard.config().databases) {
    if (!database.wildcard) databases.try_emplace(name);
  }
  for (const auto& report : view.reports) {
    for (const auto& pool : report.pools) {
      if (!pool.key.is_for_lookups()) databases[pool.key.database].clients += pool.clients;
    }
  }
  view.shard.shared().budget.read([&](const Budget& budget, auto) {
    for (const auto& pool : budget.pools()) {
      if (!pool->terms.for_lookups) databases[pool->terms.database].connections += pool->used();
    }
  });
  return databases;
}

void text_or_null(Rows& rows, std::string_view text) {
  text.empty() ? rows.null() : rows.text(text);
}

std::uint64_t seconds(Duration duration) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

void put_row(Rows& rows, const Shard& shard, std::string_view name, const Usage& usage) {
  const Config& config = shard.config();
  const DatabaseConfig* const database = find_database(config, name);
  if (database == nullptr) return;  // taken out by a reload; its last connections are closing
  const auto server = config.servers.find(database->server);
  const bool known = server != config.servers.end();
  rows.text(name);
  text_or_null(rows, known ? std::string_view{server->second.host} : std::string_view{});
  rows.number(known ? server->second.port : 0);
  rows.text(database_name_on_server(*database, name));
  text_or_null(rows, database->user);
  rows.number(database->pool_size);
  rows.number(database->min_pool_size);
  rows.number(database->reserve_pool_size);
  rows.number(seconds(config.timeouts.server_lifetime));
  rows.text(name_of(database->pool_mode));
  rows.null();
  rows.number(database->max_connections.value_or(0));  // 0: unlimited
  rows.number(usage.connections);
  rows.number(database->max_clients.value_or(0));
  rows.number(usage.clients);
  rows.number(shard.is_paused(name) ? 1 : 0);
  rows.number(0);  // disabled
}

void put_console_row(Rows& rows, Shard& shard) {
  rows.text("pgring");
  rows.null();
  rows.number(shard.config().listen.port);
  rows.text("pgring");
  rows.text("pgring");
  for (int i = 0; i < 3; ++i) rows.number(0);
  rows.number(seconds(shard.config().timeouts.server_lifetime));
  rows.text(name_of(PoolMode::statement));
  rows.null();
  rows.number(0);
  rows.number(0);
  rows.number(0);
  rows.number(shard.shared().console_clients.load());
  rows.number(0);
  rows.number(0);
}

}  // namespace

Rows show_databases(const View& view) {
  Rows rows{columns_of({.verb = Verb::show, .topic = Topic::databases})};
  for (const auto& [name, usage] : databases_of(view)) put_row(rows, view.shard, name, usage);
  put_console_row(rows, view.shard);
  return rows;
}

Rows show_lists(const View& view) {
  const Config& config = view.shard.config();
  std::set<PoolKey> pools;
  std::uint64_t used_clients = 0;
  std::uint64_t login_clients = 0;
  std::uint64_t used_servers = 0;
  for (const auto& report : view.reports) {
    used_clients += report.connections.size();
    login_clients += report.clients_in_login;
    for (const auto& pool : report.pools) {
      pools.insert(pool.key);
      used_servers += pool.connections;
    }
  }
  Rows rows{columns_of({.verb = Verb::show, .topic = Topic::lists})};
  const auto put = [&rows](std::string_view list, std::uint64_t items) {
    rows.text(list);
    rows.number(items);
  };
  put("databases", databases_of(view).size() + 1);  // with the console
  put("users", config.users.size());
  put("peers", 0);
  put("pools", pools.size() + 1);
  put("peer_pools", 0);
  put("free_clients", 0);  // nothing is kept for clients that may come
  put("used_clients", used_clients);
  put("login_clients", login_clients);
  put("free_servers", 0);
  put("used_servers", used_servers);
  put("cached_secrets", view.shard.shared().secret_lookups.counters().cached);
  for (const auto dns : {"dns_names", "dns_zones", "dns_queries", "dns_pending"}) put(dns, 0);
  return rows;
}

}  // namespace pgring::console
