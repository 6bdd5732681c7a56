// What the configuration says of a pool, in the budget's words.
#pragma once

#include "src/budget/budget.h"
#include "src/config/config.h"

namespace pgring {

struct PoolKey;

// Whether there is still such a database, or somebody who asks for secrets there.
[[nodiscard]] bool is_configured(const Config& config, const PoolKey& key);

// REQUIRES: is_configured().
[[nodiscard]] PoolTerms pool_terms(const Config& config, const PoolKey& key);

}  // namespace pgring
