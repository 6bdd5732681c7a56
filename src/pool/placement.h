// Which shards a pool lives on.
//
// What:   a pool spreads over no more shards than its size can feed, so that a small pool is not cut into
//         parts that starve; each part gets its share of pool_size. A client goes, after its startup packet,
//         to the part with the fewest clients.
// Owner:  the process; any thread. Locked for a moment at a client's login only.
// Life:   a home stays as long as the process.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace pgring {

struct PoolKey {
  std::string database;  // as the client named it
  std::string role;
  friend auto operator<=>(const PoolKey&, const PoolKey&) = default;
};

struct PoolHome {
  std::vector<std::uint32_t> shards;
  std::unique_ptr<std::atomic<std::uint32_t>[]> clients;  // by part

  // The part of `total` that falls to one part.
  [[nodiscard]] static std::uint32_t share(std::uint32_t total, std::uint32_t parts,
                                           std::uint32_t part) {
    return total / parts + (part < total % parts ? 1 : 0);
  }
  [[nodiscard]] std::uint32_t parts() const { return static_cast<std::uint32_t>(shards.size()); }
};

class Placement {
 public:
  // At least so many server connections make a part worth having.
  static constexpr std::uint32_t connections_per_part = 4;

  explicit Placement(std::uint32_t shards) : shards_{shards} {}

  // Makes the home at the first call for a key; a later pool_size changes shares, not parts.
  [[nodiscard]] PoolHome& home(const PoolKey& key, std::uint32_t pool_size);
  // The part of `home` a new client should go to.
  [[nodiscard]] static std::uint32_t least_loaded(const PoolHome& home);

 private:
  std::mutex mutex_;
  std::map<PoolKey, std::unique_ptr<PoolHome>> homes_;
  std::uint32_t shards_;
  std::uint32_t next_ = 0;  // where the next pool begins: pools of one part spread evenly
};

}  // namespace pgring
