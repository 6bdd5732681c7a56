#include "src/budget/board.h"

#include <algorithm>

namespace pgring {

std::uint32_t PoolBoard::idle() const {
  std::uint32_t sum = 0;
  for (std::uint32_t i = 0; i < size_; ++i) sum += parts_[i].idle();
  return sum;
}

std::uint32_t PoolBoard::waiting() const {
  std::uint32_t sum = 0;
  for (std::uint32_t i = 0; i < size_; ++i) sum += parts_[i].waiting();
  return sum;
}

std::uint32_t PoolBoard::inbound() const {
  std::uint32_t sum = 0;
  for (std::uint32_t i = 0; i < size_; ++i) sum += parts_[i].inbound();
  return sum;
}

std::int64_t PoolBoard::oldest() const {
  std::int64_t oldest = PartBoard::nobody;
  for (std::uint32_t i = 0; i < size_; ++i) oldest = std::min(oldest, parts_[i].oldest());
  return oldest;
}

std::int64_t PoolBoard::idle_since() const {
  std::int64_t since = PartBoard::nobody;
  for (std::uint32_t i = 0; i < size_; ++i) since = std::min(since, parts_[i].idle_since());
  return since;
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
