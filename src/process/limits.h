// What a configuration needs of the system's limits, and whether it can have it.
//
// What:   check_limits is pure: needs against given limits; read_host_limits asks the system, and
//         raise_limits lifts the soft limits to the hard ones. `pgring check` and run use the same.
// Units:  descriptors; memlock in bytes.
// Errors: one message per limit that is too low, with the number needed and what to do.
// Source: getrlimit(2); reference notes on RLIMIT_MEMLOCK: io_uring memory counts since 6.14.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/base/result.h"
#include "src/config/config.h"

namespace pgring {

struct HostLimits {
  std::uint64_t fd_hard = 0;
  std::uint64_t memlock_hard = 0;  // UINT64_MAX: unlimited
  bool memlock_counts = false;     // this kernel charges rings to it, and we are not exempt
  std::uint32_t usable_cores = 1;
};

struct LimitNeeds {
  std::uint32_t shards = 0;
  std::uint64_t client_fds = 0;
  std::uint64_t server_fds = 0;   // one full pool of each database: what run insists on
  std::uint64_t fixed_fds = 0;    // rings, listeners, logs, cancel requests, reload, replication
  std::uint64_t fds = 0;          // the sum
  std::uint64_t fds_at_most = 0;  // with every known role's pools full; a warning if too many
  bool servers_are_bounded =
      true;  // false: "*" or trust admit pools nobody can count, without a cap
  std::uint64_t memlock = 0;
};

// The number of shards that "auto" stands for on this machine.
[[nodiscard]] std::uint32_t shard_count(const ShardsConfig& shards, const HostLimits& host);

// The most server connections this database's pools can hold, over the roles known; or all pools of
// this server. What PostgreSQL itself allows is not known here.
struct PoolSum {
  std::uint64_t connections = 0;
  bool bounded = true;
};
[[nodiscard]] PoolSum pool_sum(const Config& config, const DatabaseConfig& database);
// REQUIRES: the server is in the configuration.
[[nodiscard]] PoolSum pool_sum(const Config& config, std::string_view server);

[[nodiscard]] LimitNeeds limit_needs(const Config& config, const HostLimits& host);
[[nodiscard]] Result<LimitNeeds, std::vector<std::string>> check_limits(const Config& config,
                                                                        const HostLimits& host);

[[nodiscard]] HostLimits read_host_limits();
// RLIMIT_NOFILE and RLIMIT_MEMLOCK: soft to hard. The error is a sentence for the operator.
[[nodiscard]] Result<void, std::string> raise_limits();

}  // namespace pgring
