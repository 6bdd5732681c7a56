// How many replication connections each [server] has, over all shards.
//
// What:   a limit apart from the budget: walsenders have slots of their own in PostgreSQL (max_wal_senders).
// Owner:  the process; any thread, where a replication connection begins and ends.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace pgring {

class ReplicationLimits {
 public:
  // False: the limit is reached, and nothing was counted.
  [[nodiscard]] bool enter(std::string_view server, std::uint32_t limit) {
    const std::scoped_lock lock{mutex_};
    auto at = counts_.find(server);
    if (at == counts_.end()) at = counts_.emplace(std::string{server}, 0).first;
    if (at->second >= limit) return false;
    ++at->second;
    return true;
  }
  // REQUIRES: entered.
  void leave(std::string_view server) {
    const std::scoped_lock lock{mutex_};
    --counts_.find(server)->second;
  }
  [[nodiscard]] std::uint32_t count(std::string_view server) const {
    const std::scoped_lock lock{mutex_};
    const auto at = counts_.find(server);
    return at == counts_.end() ? 0 : at->second;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::uint32_t, std::less<>> counts_;  // by [server.NAME]
};

}  // namespace pgring
