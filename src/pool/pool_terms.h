// What the configuration says of a pool, in the budget's words.
#pragma once

#include "src/budget/budget.h"
#include "src/config/config.h"

namespace pgring {

struct PoolKey;

// REQUIRES: the configuration has the database (find_database).
[[nodiscard]] PoolTerms pool_terms(const Config& config, const PoolKey& key);

}  // namespace pgring
