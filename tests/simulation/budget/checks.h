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
#include <string>
#include <vector>

#include "tests/simulation/budget/model.h"

namespace sim::budget {

class Checks {
 public:
  explicit Checks(const Model& model) : model_{model} {}

  void learned(const std::string& server, const pgring::ServerLimits& facts, Instant asked);
  // A permit, one of these actions.
  void issued(pgring::PoolId pool, const pgring::BudgetActions& actions);
  void linked(const Client& client);
  void after_step();
  void at_end();
  [[nodiscard]] const std::optional<Failure>& failure() const { return failure_; }

 private:
  using Limit = std::optional<std::int64_t>;
  struct Watch {
    Instant unmet_since{};    // nothing has been issued for its waiters since
    Instant waiting_since{};  // nobody has been served since, though somebody could be
    Instant free_since{};     // it has been for the part to ask
    bool unmet = false, waiting = false;
  };

  void fail(const std::string& kind, const std::string& text);
  [[nodiscard]] const pgring::Budget::Pool& pool(std::size_t id) const;
  // B1.
  [[nodiscard]] bool same_ceiling(pgring::PoolId a, pgring::PoolId b) const;
  [[nodiscard]] Limit ceiling_of(pgring::PoolId id) const;
  [[nodiscard]] Limit role_limit(pgring::PoolId id) const;
  [[nodiscard]] Limit database_limit(pgring::PoolId id) const;
  [[nodiscard]] bool is_probe(pgring::PoolId id) const;
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
  std::map<std::string, std::int64_t> known_;  // servers that have told: which start they were of
  std::optional<pgring::ServerLimits> facts_;
  Instant asked_{};
  std::vector<Watch> watches_;
  std::map<const pgring::LimitNode*, Instant> issued_at_;
  std::uint64_t sheds_before_ = 0, opened_before_ = 0;
  Instant moment_{};
  std::uint64_t steps_at_moment_ = 0;
  bool settled_ = false;  // the last part of an overload has begun
};

}  // namespace sim::budget
