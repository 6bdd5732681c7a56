// Precompiled for the pooler's own sources: what nearly every one of them includes anyway.
// A build without it (-Db_pch=false, as build/asan) shows an include that is missing.
#ifndef PGRING_SRC_PCH_STANDARD_H_
#define PGRING_SRC_PCH_STANDARD_H_

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#endif  // PGRING_SRC_PCH_STANDARD_H_
