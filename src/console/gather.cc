#include "src/console/gather.h"

#include <atomic>
#include <memory>

#include "src/shard/shard.h"

namespace pgring::console {
namespace {

struct Round {
  Shard* home = nullptr;
  std::function<void(Shard&)> each;
  std::function<void()> done;
  std::atomic<std::size_t> left{0};
};

}  // namespace

void on_all_shards(Shard& home, std::function<void(Shard&)> each, std::function<void()> done) {
  const auto& shards = home.shared().shards;
  const auto round = std::make_shared<Round>();
  round->home = &home;
  round->each = std::move(each);
  round->done = std::move(done);
  round->left = shards.size();
  for (const auto& shard : shards) {
    Shard* const target = shard.get();
    target->post([round, target] {
      round->each(*target);
      // The last one sees what all have written, and hands it home.
      if (round->left.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
      round->home->post([round] { round->done(); });
    });
  }
}

}  // namespace pgring::console
