// What the system calls its users: user ids to names, as the method peer compares them.
//
// What:   answers come from a worker (getpwuid_r may ask a directory far away) and are kept for a while.
// Owner:  Shared; any thread, at logins only. Bounded: ids beyond entries_max push out all others.
// Errors: an id without a name, and one that the system fails to tell, has none, for a second.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "ring/clock.h"
#include "src/shard/workers.h"

namespace pgring {

class SystemNames {
 public:
  struct Answer {
    std::optional<std::string> name;  // nullopt: the id has none
    ring::Instant until{};            // it counts till then
  };

  // Nullopt: not known (any more).
  [[nodiscard]] std::optional<Answer> find(uid_t id, ring::Instant now) const;
  // Calls `done` on a worker once it is known. False: too many tasks wait.
  [[nodiscard]] bool ask(Workers& workers, uid_t id, ring::Instant now,
                         std::move_only_function<void()> done);

  static constexpr std::size_t entries_max = 1000;

 private:
  mutable std::mutex mutex_;
  std::map<uid_t, Answer> entries_;
};

// The system's name of a user. Blocks for as long as the system takes.
[[nodiscard]] std::optional<std::string> system_name(uid_t id);

}  // namespace pgring
