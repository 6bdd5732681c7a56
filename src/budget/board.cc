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

PoolBoard::Hungrier PoolBoard::promise_to_hungrier(std::uint32_t part, std::int64_t own_oldest,
                                                   ring::Duration slack) {
  Hungrier best;
  std::uint32_t coming = 0;
  std::int64_t oldest = own_oldest == PartBoard::nobody ? own_oldest : own_oldest - slack.count();
  for (std::uint32_t i = 0; i < size_; ++i) {
    if (i == part) continue;
    const std::uint32_t inbound = parts_[i].inbound();
    const std::int64_t asked = parts_[i].asked(inbound);
    best.others |= asked != PartBoard::nobody;
    if (asked >= oldest) continue;
    oldest = asked;
    coming = inbound;
    best.part = i;
  }
  if (best.part && !parts_[*best.part].promise(coming + 1)) best.part.reset();
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
