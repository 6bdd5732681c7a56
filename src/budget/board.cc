#include "src/budget/board.h"

#include <algorithm>

namespace pgring {

PoolBoard::Totals PoolBoard::totals() const {
  Totals sum;
  for (std::uint32_t i = 0; i < size_; ++i) {
    const PartBoard& part = parts_[i];
    sum.idle += part.idle();
    sum.inbound += part.inbound();
    sum.idle_since = std::min(sum.idle_since, part.idle_since());
    sum.busy_since = std::min(sum.busy_since, part.busy_since());
    if (part.closed()) continue;
    sum.open = true;
    sum.waiting += part.waiting();
    sum.oldest = std::min(sum.oldest, part.oldest());
  }
  return sum;
}

std::optional<std::uint32_t> PoolBoard::promise_to_hungrier(std::uint32_t part,
                                                            std::int64_t own_oldest,
                                                            ring::Duration slack) {
  std::optional<std::uint32_t> best;
  std::uint32_t coming = 0;
  std::int64_t oldest = own_oldest == PartBoard::nobody ? own_oldest : own_oldest - slack.count();
  for (std::uint32_t i = 0; i < size_; ++i) {
    const std::uint32_t inbound = parts_[i].inbound();
    if (i == part || parts_[i].asked(inbound) >= oldest) continue;
    oldest = parts_[i].asked(inbound);
    coming = inbound;
    best = i;
  }
  return best && parts_[*best].promise(coming + 1) ? best : std::nullopt;
}

std::optional<std::uint32_t> PoolBoard::lender(std::uint32_t part) const {
  std::optional<std::uint32_t> best;
  std::uint32_t most = 0;
  for (std::uint32_t i = 0; i < size_; ++i) {
    if (i == part || parts_[i].waiting() > 0 || parts_[i].idle() <= most) continue;
    most = parts_[i].idle();
    best = i;
  }
  return best;
}

std::optional<std::uint32_t> PoolBoard::hungriest(std::uint32_t turn) const {
  std::optional<std::uint32_t> best;
  for (std::uint32_t n = 0; n < size_; ++n) {
    const std::uint32_t i = (turn + n) % size_;
    if (parts_[i].closed()) continue;
    if (!best || parts_[i].oldest() < parts_[*best].oldest()) best = i;
  }
  return best;
}

}  // namespace pgring
