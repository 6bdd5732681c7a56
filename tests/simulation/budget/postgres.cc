#include "tests/simulation/budget/postgres.h"

#include <algorithm>

namespace sim::budget {

using Refusal = pgring::Failure;

Postgres::Postgres(const Setup& setup)
    : max_connections_{setup.max_connections},
      superuser_reserved_{setup.superuser_reserved},
      reserved_{setup.reserved},
      roles_{setup.roles},
      databases_{setup.databases},
      ours_by_pool_(setup.pools.size()) {}

std::optional<Pid> Postgres::begin(const std::string& role, const std::string& database) {
  if (running_.size() >= max_connections_) return std::nullopt;
  const auto pid = static_cast<Pid>(backends_.size());
  backends_.push_back({.role = role, .database = database, .alive = true});
  running_.push_back(pid);
  return pid;
}

std::optional<Pid> Postgres::begin(const std::string& role, const std::string& database,
                                   pgring::PoolId pool, std::uint32_t connection) {
  const auto pid = begin(role, database);
  if (!pid) return pid;
  backends_[*pid].connection = connection;
  backends_[*pid].pool = pool;
  ++ours_;
  ++ours_by_pool_[pool];
  return pid;
}

// What stops a backend of this role and database, when `more` are there beside those that can be seen.
std::optional<Refusal> Postgres::refusal(const std::string& role, const std::string& database,
                                         std::uint32_t more) const {
  const auto& terms = roles_.at(role);
  if (terms.superuser) return std::nullopt;
  const auto over = [&](const std::optional<pgring::Count>& limit, auto same) {
    if (!limit) return false;
    const auto count = std::ranges::count_if(
        running_, [&](Pid pid) { return backends_[pid].visible && same(backends_[pid]); });
    return static_cast<std::uint64_t>(count) + more > *limit;
  };
  if (over(terms.limit, [&](const Backend& other) { return other.role == role; }))
    return Refusal::role_full;
  if (running_.size() > for_everybody()) return Refusal::instance_full;
  if (over(databases_.at(database),
           [&](const Backend& other) { return other.database == database; }))
    return Refusal::database_full;
  return std::nullopt;
}

bool Postgres::has_room(const std::string& role, const std::string& database) const {
  return running_.size() < for_everybody() && !refusal(role, database, 1);
}

std::optional<Refusal> Postgres::admit(Pid pid) {
  Backend& backend = backends_[pid];
  const auto refused = refusal(backend.role, backend.database, 1);
  backend.visible = !refused;
  if (refused) end(pid);
  return refused;
}

void Postgres::disown(Pid pid) {
  Backend& backend = backends_[pid];
  if (!backend.alive || !backend.connection) return;
  --ours_;
  --ours_by_pool_[backend.pool];
  backend.connection.reset();
}

void Postgres::end(Pid pid) {
  Backend& backend = backends_[pid];
  if (!backend.alive) return;
  disown(pid);
  backend.alive = backend.visible = false;
  std::erase(running_, pid);
}

std::vector<std::uint32_t> Postgres::end_all() {
  std::vector<std::uint32_t> connections;
  while (!running_.empty()) {
    const Pid pid = running_.back();
    if (backends_[pid].connection) connections.push_back(*backends_[pid].connection);
    end(pid);
  }
  std::ranges::sort(connections);
  return connections;
}

void Postgres::started_again(std::optional<std::uint32_t> max_connections) {
  state = State::up;
  if (!max_connections) return;
  max_connections_ = *max_connections;
  ++starts_;
}

pgring::ServerLimits Postgres::facts() const {
  pgring::ServerLimits facts;
  facts.id = {.system_identifier = 7, .started_us = static_cast<std::int64_t>(starts_)};
  facts.max_connections = max_connections_;
  facts.superuser_reserved = superuser_reserved_;
  facts.reserved = reserved_;
  facts.roles = roles_;
  facts.databases = databases_;
  for (const Pid pid : running_) {
    const Backend& backend = backends_[pid];
    if (backend.connection || !backend.visible) continue;
    ++facts.others;
    ++facts.others_by_role[backend.role];
    ++facts.others_by_database[backend.database];
  }
  return facts;
}

std::vector<Pid> Postgres::alive() const {
  std::vector<Pid> pids;
  std::ranges::copy_if(running_, std::back_inserter(pids),
                       [&](Pid pid) { return backends_[pid].visible; });
  return pids;
}

}  // namespace sim::budget
