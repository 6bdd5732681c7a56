// The budget for many threads: locks it, makes its actions into permits, and carries them to the shards.
//
// Owner:  Shared. Life: longer than every permit. Any thread; a call holds the lock for a moment, and the
//         deliveries are made after it is released.
// Cost:   never called on the way of a query of a pool that is not short of connections.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>

#include "src/budget/budget.h"
#include "src/budget/permit.h"

namespace pgring {

class BudgetDesk {
 public:
  // What a shard is told. They post to the shard of that part; called on any thread, without the lock.
  struct Deliver {
    std::function<void(PoolId, std::uint32_t part, Permit)> open;
    std::function<void(PoolId, std::uint32_t part)> shed;
  };
  explicit BudgetDesk(std::uint64_t seed) : budget_{seed} {}
  BudgetDesk(const BudgetDesk&) = delete;
  BudgetDesk& operator=(const BudgetDesk&) = delete;

  // Before the first other call.
  void start(Deliver deliver);
  // Nothing is delivered any more: the shards are about to go.
  void stop();

  void set_server(const std::string& name, const ServerTerms& terms, ring::Instant now);
  [[nodiscard]] PoolId add_pool(const PoolTerms& terms, PoolBoard& board);
  void set_pool(PoolId id, const PoolTerms& terms, ring::Instant now);

  // The pool has waiters nothing is coming for. Permits come by delivery, now or later; the answer says
  // why not now (none: they are under way).
  Reason ask(PoolId id, ring::Instant now);
  // An idle connection with this permit is about to be used: true, the pool should give it up. It is closing
  // from now on.
  [[nodiscard]] bool claim_shed(Permit& permit);
  // An idle connection is old: true, the pool has more than its size_min without it. It is closing from now on.
  [[nodiscard]] bool claim_idle(Permit& permit);
  // A permit has come: is a connection still wanted? If not, it goes back at once.
  [[nodiscard]] bool is_wanted(PoolId id);
  void failed(PoolId id, Failure failure, ring::Duration retry, ring::Instant now);
  // What made the last attempts fail is mended: the next one need not wait.
  void retry_now(PoolId id, ring::Instant now);
  // Connections of the pool that are open or being opened, on all shards.
  [[nodiscard]] Count held(PoolId id);
  void learned(const std::string& server, const ServerLimits& limits,
               std::span<const std::uint32_t> alive, ring::Instant asked, ring::Instant now);
  void not_told(const std::string& server, ring::Instant now);
  // Lets time pass if something waits for it.
  void tick(ring::Instant now);

  // The budget as it is: for the console and for error texts. The function must not call the desk.
  template <class Function>
  auto read(Function function) {
    const std::scoped_lock lock{mutex_};
    return function(std::as_const(budget_), last_now_);
  }

 private:
  friend class Permit;
  template <class Function>
  auto change(ring::Instant now, Function function);
  void deliver(const BudgetActions& actions);
  void opened(const Permit& permit);
  void closing(const Permit& permit);
  void returned(const Permit& permit);
  void lost(const Permit& permit, LostBy by);

  std::mutex mutex_;
  Budget budget_;
  Deliver deliver_;
  bool stopped_ = false;
  ring::Instant last_now_{};  // the latest any caller said
};

}  // namespace pgring
