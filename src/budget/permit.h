// The right to have one server connection open.
//
// What:   an object: whoever holds it has the permit, moving it hands the permit over, its end gives it back.
//         It cannot be copied, forgotten or given back twice. The states are the budget's (PermitState).
// Owner:  the server connection, from before connect() until PostgreSQL has closed its side. Any one thread
//         at a time. Life: not longer than the desk it came from.
#pragma once

#include <cstdint>
#include <utility>

#include "src/budget/budget.h"

namespace pgring {

class BudgetDesk;

class Permit {
 public:
  Permit() = default;  // none
  Permit(Permit&& from) noexcept
      : desk_{std::exchange(from.desk_, nullptr)},
        pool_{from.pool_},
        state_{from.state_},
        pid_{from.pid_} {}
  Permit& operator=(Permit&& from) noexcept;
  Permit(const Permit&) = delete;
  Permit& operator=(const Permit&) = delete;
  ~Permit() { give_back(); }

  [[nodiscard]] bool valid() const { return desk_ != nullptr; }

  // The backend has said who it is.
  void backend_is(std::uint32_t pid) { pid_ = pid; }
  // The login is over.
  void opened();
  // The connection is being ended; again: no effect.
  void closing();
  // PostgreSQL's slot is free.
  void give_back();
  // Nobody saw PostgreSQL close its side: the permit stays with the budget until the backend is known to be
  // gone. Not valid any more afterwards.
  void lose(LostBy by);

 private:
  friend class BudgetDesk;
  Permit(BudgetDesk& desk, PoolId pool) : desk_{&desk}, pool_{pool} {}

  BudgetDesk* desk_ = nullptr;
  PoolId pool_ = 0;
  PermitState state_ = PermitState::opening;
  std::uint32_t pid_ = 0;  // 0: not known
};

}  // namespace pgring
