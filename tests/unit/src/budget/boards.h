// What a part shows, for tests that need no order among those who wait.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "src/budget/board.h"

namespace pgring {

// So many clients wait that all asked at `since`.
inline void show_waiting(PartBoard& part, std::uint32_t count, ring::Instant since) {
  std::array<ring::Instant, PartBoard::shown> asked;
  asked.fill(since);
  part.show_waiting(count, std::span{asked}.first(std::min<std::size_t>(count, asked.size())));
}

}  // namespace pgring
