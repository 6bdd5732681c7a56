// What the server told the pool's logins about parameters, for clients that log in where no connection is.
//
// Owner:  PoolHome. Life: the pool's. Any thread; locked for a moment at a login, and when a default changes.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "ring/clock.h"
#include "src/session/parameters.h"

namespace pgring {

class PoolParameters {
 public:
  // The defaults a login reported; the same object as before where they are equal.
  [[nodiscard]] Defaults intern(ParameterList reported);
  // Those of the latest login; null: there was none yet.
  [[nodiscard]] Defaults defaults() const;

  // idle_session_timeout of a session that sets none, as of the latest login; 0: none.
  [[nodiscard]] ring::Duration idle_limit() const {
    return ring::Duration{idle_limit_.load(std::memory_order_relaxed)};
  }
  void set_idle_limit(ring::Duration limit) {
    idle_limit_.store(limit.count(), std::memory_order_relaxed);
  }

  // Startup parameters the server is known to take, with its spelling of their values.
  [[nodiscard]] std::optional<ParameterList> canonical(const ParameterList& asked) const;
  void remember_canonical(const ParameterList& asked, const ParameterList& canonical);

 private:
  using Known = std::pair<ParameterList, ParameterList>;

  std::atomic<ring::Duration::rep> idle_limit_{0};
  mutable std::mutex mutex_;
  Defaults defaults_;
  std::vector<Known> canonical_;
};

}  // namespace pgring
