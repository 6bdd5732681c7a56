// What must hold at every step of a simulated run: B1 to B3 of docs/architecture.md, "The budget".
//
// What:   B1 against limits computed here, from what the server told, not from the budget's own; the permits
//         against the model's connections and PostgreSQL's slots; B2: a reason for every waiter, true, and for
//         no longer than its bound; B3: order of service, and at the end of an overload the shares.
// Owner:  Model.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tests/simulation/budget/model.h"

namespace sim::budget {

class Checks {
 public:
  explicit Checks(const Model& model) : model_{model} {}

  void learned(const std::string& server, const pgring::ServerLimits& facts, Instant asked);
  // A permit: the first of these actions. The others were decided after it.
  void issued(std::span<const pgring::BudgetAction> since);
  void linked(const Client& client);
  void after_step();
  void at_end();
  [[nodiscard]] bool only_strangers_wait() const;
  [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

 private:
  using Limit = std::optional<std::int64_t>;
  struct Watch {
    Instant waiting_since{};               // nobody has been served since, though somebody could be
    Instant free_since{};                  // it has been for the part to ask
    std::vector<Instant> evictable_since;  // by donor: it has had something to give
    bool waiting = false;
  };

  [[nodiscard]] std::string state() const;
  void fail(const std::string& kind, const std::string& text);
  [[nodiscard]] const pgring::Budget::Pool& pool(std::size_t id) const;
  // B1.
  [[nodiscard]] bool same_ceiling(pgring::PoolId a, pgring::PoolId b) const;
  [[nodiscard]] const pgring::ServerLimits* facts_of(pgring::PoolId id) const;
  [[nodiscard]] Limit ceiling_of(pgring::PoolId id) const;
  [[nodiscard]] Limit role_limit(pgring::PoolId id) const;
  [[nodiscard]] Limit database_limit(pgring::PoolId id) const;
  [[nodiscard]] bool is_probe(pgring::PoolId id, std::span<const pgring::BudgetAction> since) const;
  template <class Same>
  [[nodiscard]] std::int64_t used_by(Same same) const;
  // Permits.
  void check_permits(pgring::PoolId id);
  // B2.
  void check_reason(pgring::PoolId id);
  void check_unused(pgring::PoolId id);
  void check_evictable(pgring::PoolId id);
  void check_served(pgring::PoolId id);
  [[nodiscard]] bool is_excused(pgring::PoolId id) const;
  [[nodiscard]] bool can_help(pgring::PoolId needy, pgring::PoolId donor) const;
  // B3.
  void check_shares();

  const Model& model_;
  std::optional<Failure> failure_;
  std::map<std::string, std::size_t> known_;  // servers that have told, and which instance they are
  struct Told {
    pgring::ServerLimits facts;
    Instant asked{};
  };
  std::vector<Told> told_;  // by instance, as far as names are known to be one
  std::vector<Watch> watches_;
  std::map<const pgring::LimitNode*, Instant> issued_at_;
  std::uint64_t sheds_before_ = 0, opened_before_ = 0;
  Instant moment_{};
  std::uint64_t steps_at_moment_ = 0;
  bool settled_ = false;  // the last part of an overload has begun
};

}  // namespace sim::budget
