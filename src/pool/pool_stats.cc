// What a pool counts.
#include <array>

#include "src/pool/pool.h"
#include "src/shard/shard.h"

namespace pgring {
namespace {

// PgBouncer's stats_period.
constexpr ring::Duration stats_period = std::chrono::seconds{60};

constexpr std::array counters{
    &PoolStats::assignments,   &PoolStats::transactions, &PoolStats::queries,
    &PoolStats::received,      &PoolStats::sent,         &PoolStats::transaction_us,
    &PoolStats::query_us,      &PoolStats::wait_us,      &PoolStats::parses,
    &PoolStats::binds,         &PoolStats::logins,       &PoolStats::isolation_faults,
    &PoolStats::server_parses, &PoolStats::audits,       &PoolStats::left_states,
    &PoolStats::parses_spared, &PoolStats::shared,       &PoolStats::shares_fled,
    &PoolStats::share_stalls};
static_assert(counters.size() * sizeof(std::uint64_t) == sizeof(PoolStats));

}  // namespace

PoolStats& PoolStats::operator+=(const PoolStats& other) {
  for (const auto counter : counters) this->*counter += other.*counter;
  return *this;
}

PoolStats PoolStats::since(const PoolStats& before) const {
  PoolStats difference = *this;
  for (const auto counter : counters) difference.*counter -= before.*counter;
  return difference;
}

void Pool::end_period() {
  const auto now = shard_.now();
  if (now - period_began_ < stats_period) return;
  last_period_ = {.added = stats_.since(period_start_), .length = now - period_began_};
  period_start_ = stats_;
  period_began_ = now;
}

}  // namespace pgring
