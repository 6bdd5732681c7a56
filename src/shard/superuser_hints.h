// Tells the log, once for each role, that applications log in as a superuser.
//
// Owner:  Shared; any thread. Life: the process's: a role is named once, whatever is reloaded.
#pragma once

#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "src/budget/desk.h"

namespace pgring {

class SuperuserHints {
 public:
  // After limits have been learned.
  void check(BudgetDesk& budget);

 private:
  std::mutex mutex_;
  std::set<std::pair<std::string, std::string>> told_;  // server, role
};

}  // namespace pgring
