#include "src/pool/placement.h"

#include <algorithm>

namespace pgring {

PoolHome& Placement::home(const PoolKey& key, std::uint32_t pool_size) {
  const std::scoped_lock lock{mutex_};
  auto& home = homes_[key];
  if (home == nullptr) {
    home = std::make_unique<PoolHome>();
    const std::uint32_t parts = std::clamp(pool_size / connections_per_part, 1U, shards_);
    for (std::uint32_t part = 0; part < parts; ++part)
      home->shards.push_back((next_ + part) % shards_);
    next_ = (next_ + parts) % shards_;
    home->clients = std::make_unique<std::atomic<std::uint32_t>[]>(parts);
  }
  return *home;
}

std::uint32_t Placement::least_loaded(const PoolHome& home) {
  std::uint32_t best = 0;
  for (std::uint32_t part = 1; part < home.parts(); ++part) {
    if (home.clients[part].load(std::memory_order_relaxed) <
        home.clients[best].load(std::memory_order_relaxed))
      best = part;
  }
  return best;
}

}  // namespace pgring
