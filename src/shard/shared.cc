#include "src/shard/shared.h"

#include "src/budget/learn.h"
#include "src/budget/report.h"
#include "src/shard/shard.h"
#include "wire/random.h"

namespace pgring {
namespace {

constexpr ring::Duration facts_interval_near = std::chrono::milliseconds{300};

// For jitter and for the places of hash tables: without random bytes every process has the same.
std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  (void)wire::fill_random(std::as_writable_bytes(std::span{&seed, 1}));
  return seed;
}

}  // namespace

Shared::Shared(std::uint32_t shard_count)
    : budget{random_seed()},
      placement{shard_count, budget},
      working_shards{shard_count},
      failed_logins{random_seed()} {
  BudgetDesk::Deliver deliver;
  deliver.open = [this](PoolId id, std::uint32_t part, Permit permit) {
    PoolHome& home = placement.home(id);
    Shard& shard = *shards[home.shards[part]];
    shard.post([&shard, &home, part, permit = std::move(permit)]() mutable {
      shard.pool(home.key, home, part).open_with(std::move(permit));
    });
  };
  deliver.shed = [this](PoolId id, std::uint32_t part) {
    PoolHome& home = placement.home(id);
    Shard& shard = *shards[home.shards[part]];
    shard.post([&shard, &home, part] { shard.pool(home.key, home, part).shed(); });
  };
  budget.start(std::move(deliver));
  facts_learned = [this](const std::string& server, const Learned& learned) {
    budget.learned(server, limits_of(learned), alive_pids(learned), learned.asked, learned.at);
    superusers.check(budget);
    // Near the ceiling every newcomer counts: whose slots keep_free keeps are to be free again soon.
    const bool near = budget.read(
        [&](const Budget& all, ring::Instant now) { return is_near_ceiling(all, server, now); });
    facts.desk(server).set_interval(near ? facts_interval_near : FactsDesk::interval_default);
  };
}

Shared::~Shared() {
  // What is left in mailboxes gives its permits back; nobody is there to take the next.
  budget.stop();
  workers.stop();
  shards.clear();
}

}  // namespace pgring
