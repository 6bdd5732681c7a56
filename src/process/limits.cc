#include "src/process/limits.h"

#include <errno.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <system_error>
#include <vector>

namespace pgring {
namespace {

// stdio, configuration, userlist and log targets, signals, the spare for accept-and-refuse, name
// lookups, and a burst of cancel requests.
constexpr std::uint64_t fds_of_process = 64;
// The ring, its wake-up, and one to spare.
constexpr std::uint64_t fds_per_shard = 3;
// Measured: a ring of 1024 SQEs and 16384 CQEs is 320 KiB; buffer rings come on top.
constexpr std::uint64_t memlock_per_shard = std::uint64_t{512} * 1024;

bool has_ipc_lock() {
  // The system call itself: libcap for one question would be a dependency of the service.
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
  if (syscall(SYS_capget, &header, data) != 0) return false;
  return (data[0].effective & (1U << CAP_IPC_LOCK)) != 0;
}

// Since 6.14 ring memory is charged to RLIMIT_MEMLOCK. An unreadable version counts as new: then
// the check is strict, never silent.
bool kernel_charges_memlock() {
  utsname name{};
  if (uname(&name) != 0) return true;
  const std::string_view release = name.release;
  unsigned major = 0;
  unsigned minor = 0;
  const char* const end = release.data() + release.size();
  const auto first = std::from_chars(release.data(), end, major);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '.') return true;
  if (std::from_chars(first.ptr + 1, end, minor).ec != std::errc{}) return true;
  return major > 6 || (major == 6 && minor >= 14);
}

std::uint32_t count_usable_cores() {
  // The mask may be larger than cpu_set_t: grow until the kernel accepts the size.
  for (int cpus = CPU_SETSIZE; cpus <= (1 << 20); cpus *= 2) {
    cpu_set_t* const set = CPU_ALLOC(static_cast<std::size_t>(cpus));
    const std::size_t size = CPU_ALLOC_SIZE(static_cast<std::size_t>(cpus));
    const int result = sched_getaffinity(0, size, set);
    const int count = result == 0 ? CPU_COUNT_S(size, set) : 0;
    const bool is_too_small = result != 0 && errno == EINVAL;
    CPU_FREE(set);
    if (!is_too_small) return static_cast<std::uint32_t>(std::max(count, 1));
  }
  return 1;
}

std::uint64_t hard_limit(__rlimit_resource_t resource) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return 0;
  return limit.rlim_max == RLIM_INFINITY ? UINT64_MAX : limit.rlim_max;
}

Result<void, std::string> raise(__rlimit_resource_t resource, const char* name) {
  rlimit limit{};
  if (getrlimit(resource, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(resource, &limit) == 0) return {};
  }
  return Unexpected(fmt::format("cannot raise the soft limit {}: {}", name,
                                std::generic_category().message(errno)));
}

std::uint64_t capped(std::uint64_t connections, Limit limit) {
  return limit ? std::min<std::uint64_t>(connections, *limit) : connections;
}

// Pools that nobody can count may reach the limit; it is all that bounds them.
PoolSum capped(PoolSum sum, Limit limit) {
  if (!limit) return sum;
  return {sum.bounded ? capped(sum.connections, limit) : *limit, true};
}

// The most server connections of one pool.
std::uint64_t pool_most(const Config& config, const DatabaseConfig& database,
                        std::string_view role) {
  const std::uint64_t size = std::uint64_t{effective_pool_size(config, database, role)} +
                             effective_reserve(config, database, role);
  const auto entry = config.roles.find(role);
  return capped(capped(size, database.max_connections),
                entry == config.roles.end() ? Limit{} : entry->second.max_connections);
}

std::string fd_message(const Config& config, const LimitNeeds& needs, const HostLimits& host) {
  return fmt::format(
      "max_clients = {} needs {} file descriptors, the hard limit (RLIMIT_NOFILE) is {}: set "
      "LimitNOFILE= in the unit, or lower listen.max_clients",
      config.listen.max_clients, needs.fds, host.fd_hard);
}

std::string memlock_message(const LimitNeeds& needs, const HostLimits& host) {
  return fmt::format(
      "{} shards need {} KiB of locked memory, the hard limit (RLIMIT_MEMLOCK) is {} KiB: set "
      "LimitMEMLOCK= in the unit, or lower shards.count",
      needs.shards, needs.memlock / 1024, host.memlock_hard / 1024);
}

}  // namespace

std::uint32_t shard_count(const ShardsConfig& shards, const HostLimits& host) {
  return std::min(shards.count.value_or(host.usable_cores), shard_count_max);
}

PoolSum pool_sum(const Config& config, const DatabaseConfig& database) {
  PoolSum sum;
  // "*" is counted as one database: how many names clients will ask for nobody knows.
  sum.bounded = !database.wildcard;
  if (!database.user.empty()) {
    sum.connections = pool_most(config, database, database.user);
    return sum;
  }
  sum.bounded = sum.bounded && config.auth.method != AuthMethod::trust;
  for (const auto& [role, unused] : config.users) {
    sum.connections += pool_most(config, database, role);
  }
  sum.connections = std::max(sum.connections, pool_most(config, database, {}));
  // That of "*" is of each name, and bounds nothing.
  return database.wildcard ? sum : capped(sum, database.max_connections);
}

PoolSum pool_sum(const Config& config, std::string_view server) {
  PoolSum sum;
  for (const auto& [unused, database] : config.databases) {
    if (database.server != server) continue;
    const PoolSum part = pool_sum(config, database);
    sum.connections += part.connections;
    sum.bounded = sum.bounded && part.bounded;
  }
  return capped(sum, config.servers.find(server)->second.max_connections);
}

LimitNeeds limit_needs(const Config& config, const HostLimits& host) {
  LimitNeeds needs;
  needs.shards = shard_count(config.shards, host);
  needs.client_fds = config.listen.max_clients;
  std::uint64_t all_pools = 0;
  std::uint64_t walsenders = 0;
  for (const auto& [name, server] : config.servers) {
    std::uint64_t one_of_each = 0;
    for (const auto& [unused, database] : config.databases) {
      if (database.server == name) one_of_each += pool_most(config, database, database.user);
    }
    needs.server_fds += capped(one_of_each, server.max_connections);
    const PoolSum sum = pool_sum(config, name);
    all_pools += sum.connections;
    needs.servers_are_bounded = needs.servers_are_bounded && sum.bounded;
    walsenders += server.max_replication;
  }
  const std::uint64_t listeners =
      config.listen.address.size() * needs.shards + (config.listen.unix_socket_dir.empty() ? 0 : 1);
  needs.fixed_fds = fds_of_process + fds_per_shard * needs.shards + listeners + walsenders;
  needs.fds = needs.client_fds + needs.server_fds + needs.fixed_fds;
  needs.fds_at_most = needs.client_fds + std::max(all_pools, needs.server_fds) + needs.fixed_fds;
  needs.memlock = memlock_per_shard * needs.shards;
  return needs;
}

Result<LimitNeeds, std::vector<std::string>> check_limits(const Config& config,
                                                          const HostLimits& host) {
  const LimitNeeds needs = limit_needs(config, host);
  std::vector<std::string> problems;
  if (needs.fds > host.fd_hard) problems.push_back(fd_message(config, needs, host));
  if (host.memlock_counts && needs.memlock > host.memlock_hard) {
    problems.push_back(memlock_message(needs, host));
  }
  if (!problems.empty()) return Unexpected(std::move(problems));
  return needs;
}

HostLimits read_host_limits() {
  HostLimits host;
  host.fd_hard = hard_limit(RLIMIT_NOFILE);
  host.memlock_hard = hard_limit(RLIMIT_MEMLOCK);
  host.memlock_counts = kernel_charges_memlock() && !has_ipc_lock();
  host.usable_cores = count_usable_cores();
  return host;
}

Result<void, std::string> raise_limits() {
  if (auto files = raise(RLIMIT_NOFILE, "RLIMIT_NOFILE"); !files) return files;
  return raise(RLIMIT_MEMLOCK, "RLIMIT_MEMLOCK");
}

}  // namespace pgring
