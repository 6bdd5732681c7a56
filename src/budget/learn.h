// From what an instance said (facts) and what was counted (others) to the budget's words.
#pragma once

#include <vector>

#include "src/budget/budget.h"
#include "src/budget/facts_desk.h"

namespace pgring {

[[nodiscard]] ServerLimits limits_of(const Learned& learned);

// The pids of all its backends, sorted.
[[nodiscard]] std::vector<std::uint32_t> alive_pids(const Learned& learned);

}  // namespace pgring
