// A PostgreSQL as far as its connection slots go.
//
// What:   slots, the limits of roles and databases, who is refused by which function, and what it tells of
//         itself. Time is the caller's: each call happens at once.
// Source: InitProcess, InitPostgres, InitializeSessionUserId, CheckMyDatabase of PostgreSQL 16.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "src/budget/budget.h"
#include "tests/simulation/budget/script.h"

namespace sim::budget {

using Pid = std::uint32_t;  // 0: none

class Postgres {
 public:
  explicit Postgres(const Setup& setup);

  struct Backend {
    std::string role, database;
    std::optional<std::uint32_t> connection;  // ours
    pgring::PoolId pool = 0;                  // likewise
    bool alive = false;
    bool visible = false;  // in pg_stat_activity: authenticated
  };

  enum class State : std::uint8_t { up, away, starting };
  State state = State::up;

  // fork(): takes a slot. nullopt: none is free.
  [[nodiscard]] std::optional<Pid> begin(const std::string& role, const std::string& database);
  // One of ours.
  [[nodiscard]] std::optional<Pid> begin(const std::string& role, const std::string& database,
                                         pgring::PoolId pool, std::uint32_t connection);
  // Authentication is over: why it is refused, if it is. Its slot is free then.
  [[nodiscard]] std::optional<pgring::Failure> admit(Pid pid);
  // Whether one more would be admitted now.
  [[nodiscard]] bool has_room(const std::string& role, const std::string& database) const;
  void end(Pid pid);
  // It is not known as ours any more: one of the others.
  void disown(Pid pid);
  // All backends end; the connections of ours that they served.
  std::vector<std::uint32_t> end_all();
  void started_again(std::optional<std::uint32_t> max_connections);

  void alter_role(const std::string& role, std::optional<pgring::Count> limit) {
    roles_[role].limit = limit;
  }
  void alter_database(const std::string& name, std::optional<pgring::Count> limit) {
    databases_[name] = limit;
  }

  [[nodiscard]] pgring::ServerLimits facts() const;
  [[nodiscard]] std::vector<Pid> alive() const;  // sorted; those that can be seen
  [[nodiscard]] const Backend& backend(Pid pid) const { return backends_[pid]; }
  [[nodiscard]] bool is_alive(Pid pid) const { return pid != 0 && backends_[pid].alive; }
  [[nodiscard]] std::uint32_t used() const { return static_cast<std::uint32_t>(running_.size()); }
  [[nodiscard]] std::uint32_t used_by_us() const { return ours_; }
  [[nodiscard]] std::uint32_t used_by(pgring::PoolId pool) const { return ours_by_pool_[pool]; }
  [[nodiscard]] std::uint32_t max_connections() const { return max_connections_; }
  [[nodiscard]] std::uint32_t for_everybody() const {
    return max_connections_ - superuser_reserved_ - reserved_;
  }
  [[nodiscard]] bool is_superuser(const std::string& role) const {
    return roles_.at(role).superuser;
  }
  [[nodiscard]] std::uint64_t starts() const { return starts_; }

 private:
  [[nodiscard]] std::optional<pgring::Failure> refusal(const std::string& role,
                                                       const std::string& database,
                                                       std::uint32_t more) const;

  std::uint32_t max_connections_, superuser_reserved_, reserved_;
  std::map<std::string, pgring::ServerLimits::Role> roles_;
  std::map<std::string, std::optional<pgring::Count>> databases_;
  std::vector<Backend> backends_{1};  // by pid, never used again
  std::vector<Pid> running_;          // sorted
  std::uint32_t ours_ = 0;
  std::vector<std::uint32_t> ours_by_pool_;
  std::uint64_t starts_ = 1;
};

}  // namespace sim::budget
