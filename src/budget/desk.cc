#include "src/budget/desk.h"

#include <algorithm>

#include "src/base/check.h"

namespace pgring {

// Permits.

Permit& Permit::operator=(Permit&& from) noexcept {
  if (this != &from) {
    give_back();
    desk_ = std::exchange(from.desk_, nullptr);
    pool_ = from.pool_;
    state_ = from.state_;
    pid_ = from.pid_;
  }
  return *this;
}

void Permit::opened() {
  if (desk_ == nullptr || state_ != PermitState::opening) return;
  desk_->opened(*this);
  state_ = PermitState::open;
}

void Permit::closing() {
  if (desk_ == nullptr || state_ == PermitState::closing) return;
  desk_->closing(*this);
  state_ = PermitState::closing;
}

void Permit::give_back() {
  if (desk_ == nullptr) return;
  desk_->returned(*this);
  desk_ = nullptr;
}

void Permit::lose(LostBy by) {
  if (desk_ == nullptr) return;
  desk_->lost(*this, by);
  desk_ = nullptr;
}

// The desk.

template <class Function>
auto BudgetDesk::change(ring::Instant now, Function function) {
  BudgetActions actions;
  std::unique_lock lock{mutex_};
  const bool stopped = stopped_;
  last_now_ = std::max(last_now_, now);
  if constexpr (std::is_void_v<decltype(function(last_now_, actions))>) {
    function(last_now_, actions);
    lock.unlock();
    if (!stopped) deliver(actions);
  } else {
    auto answer = function(last_now_, actions);
    lock.unlock();
    if (!stopped) deliver(actions);
    return answer;
  }
}

void BudgetDesk::deliver(const BudgetActions& actions) {
  for (const auto& action : actions) {
    switch (action.kind) {
      case BudgetAction::Kind::open:
        deliver_.open(action.pool, action.part, Permit{*this, action.pool});
        break;
      case BudgetAction::Kind::shed:
        deliver_.shed(action.pool, action.part);
        break;
    }
  }
}

void BudgetDesk::start(Deliver deliver) { deliver_ = std::move(deliver); }

void BudgetDesk::stop() {
  const std::scoped_lock lock{mutex_};
  stopped_ = true;
}

void BudgetDesk::set_server(const std::string& name, const ServerTerms& terms, ring::Instant now) {
  change(now, [&](auto at, auto& actions) { budget_.set_server(name, terms, at, actions); });
}

PoolId BudgetDesk::add_pool(const PoolTerms& terms, PoolBoard& board) {
  const std::scoped_lock lock{mutex_};
  return budget_.add_pool(terms, board);
}

void BudgetDesk::set_pool(PoolId id, const PoolTerms& terms, ring::Instant now) {
  change(now, [&](auto at, auto& actions) { budget_.set_pool(id, terms, at, actions); });
}

Reason BudgetDesk::ask(PoolId id, ring::Instant now) {
  return change(now, [&](auto at, auto& actions) {
    budget_.ask(id, at, actions);
    return budget_.pool(id).reason;
  });
}

bool BudgetDesk::claim_shed(Permit& permit) {
  const std::scoped_lock lock{mutex_};
  if (!permit.valid() || permit.state_ != PermitState::open || !budget_.claim_shed(permit.pool_))
    return false;
  permit.state_ = PermitState::closing;
  return true;
}

bool BudgetDesk::claim_idle(Permit& permit) {
  const std::scoped_lock lock{mutex_};
  const auto& pool = budget_.pool(permit.pool_);
  if (permit.state_ != PermitState::open || pool.held() <= pool.terms.size_min) return false;
  budget_.closing(permit.pool_, PermitState::open);
  permit.state_ = PermitState::closing;
  return true;
}

bool BudgetDesk::is_wanted(PoolId id) {
  const std::scoped_lock lock{mutex_};
  return budget_.is_wanted(id);
}

Count BudgetDesk::held(PoolId id) {
  const std::scoped_lock lock{mutex_};
  return budget_.pool(id).held();
}

void BudgetDesk::failed(PoolId id, Failure failure, ring::Duration retry, ring::Instant now) {
  change(now, [&](auto at, auto&) { budget_.failed(id, failure, retry, at); });
}

void BudgetDesk::retry_now(PoolId id, ring::Instant now) {
  change(now, [&](auto at, auto& actions) { budget_.retry_now(id, at, actions); });
}

void BudgetDesk::learned(const std::string& server, const ServerLimits& limits,
                         std::span<const std::uint32_t> alive, ring::Instant asked,
                         ring::Instant now) {
  change(now, [&](auto at, auto& actions) {
    budget_.learned(server, limits, alive, asked, at, actions);
  });
}

void BudgetDesk::not_told(const std::string& server, ring::Instant now) {
  change(now, [&](auto at, auto& actions) { budget_.not_told(server, at, actions); });
}

void BudgetDesk::tick(ring::Instant now) {
  change(now, [&](auto at, auto& actions) {
    if (const auto due = budget_.next_tick(); due && *due <= at) budget_.tick(at, actions);
  });
}

void BudgetDesk::opened(const Permit& permit) {
  change({}, [&](auto at, auto& actions) { budget_.opened(permit.pool_, at, actions); });
}

void BudgetDesk::closing(const Permit& permit) {
  const std::scoped_lock lock{mutex_};
  budget_.closing(permit.pool_, permit.state_);
}

void BudgetDesk::returned(const Permit& permit) {
  change({}, [&](auto at, auto& actions) {
    budget_.returned(permit.pool_, permit.state_, at, actions);
  });
}

void BudgetDesk::lost(const Permit& permit, LostBy by) {
  change({},
         [&](auto at, auto&) { budget_.lost(permit.pool_, permit.state_, permit.pid_, by, at); });
}

}  // namespace pgring
