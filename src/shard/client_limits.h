// How many clients there are, in all, per database and per role, over all shards.
//
// Owner:  the process; any thread, at login and at the end of a client only.
// Errors: enter() names the limit that is reached; then nothing was counted.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace pgring {

struct ClientCounts {
  std::uint32_t all = 0, database = 0, role = 0;
};

class ClientLimits {
 public:
  struct Limits {
    std::uint32_t all = 0;
    std::optional<std::uint32_t> database, role;
  };
  enum class Reached : std::uint8_t { none, all, database, role };

  [[nodiscard]] Reached enter(std::string_view database, std::string_view role,
                              const Limits& limits) {
    const std::scoped_lock lock{mutex_};
    if (all_ >= limits.all) return Reached::all;
    if (limits.database && value(databases_, database) >= *limits.database)
      return Reached::database;
    if (limits.role && value(roles_, role) >= *limits.role) return Reached::role;
    ++all_;
    ++entry(databases_, database);
    ++entry(roles_, role);
    return Reached::none;
  }
  void leave(std::string_view database, std::string_view role) {
    const std::scoped_lock lock{mutex_};
    --all_;
    drop(databases_, database);
    drop(roles_, role);
  }
  [[nodiscard]] ClientCounts counts(std::string_view database, std::string_view role) const {
    const std::scoped_lock lock{mutex_};
    return {all_, value(databases_, database), value(roles_, role)};
  }

 private:
  using Map = std::map<std::string, std::uint32_t, std::less<>>;
  // Names come from clients: one that nobody uses any more is not kept.
  static std::uint32_t& entry(Map& map, std::string_view name) {
    const auto at = map.find(name);
    return at != map.end() ? at->second : map.emplace(std::string{name}, 0).first->second;
  }
  static void drop(Map& map, std::string_view name) {
    const auto at = map.find(name);
    if (at != map.end() && --at->second == 0) map.erase(at);
  }
  static std::uint32_t value(const Map& map, std::string_view name) {
    const auto at = map.find(name);
    return at == map.end() ? 0 : at->second;
  }

  mutable std::mutex mutex_;
  std::uint32_t all_ = 0;
  Map databases_;
  Map roles_;
};

}  // namespace pgring
