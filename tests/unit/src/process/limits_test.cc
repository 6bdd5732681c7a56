#include "src/process/limits.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include "tests/unit/src/config/config_test_util.h"

using namespace pgring;
using namespace config_test;

namespace {
constexpr HostLimits host{
    .fd_hard = 20'000, .memlock_hard = 8 << 20, .memlock_counts = true, .usable_cores = 4};
}  // namespace

TEST_CASE("limits: descriptors are clients, one full pool per database, and what is fixed") {
  const LoadedConfig loaded = good("[server.main]\n[database.a]\n[database.b]\npool_size = 5\n");
  const LimitNeeds needs = limit_needs(loaded.config, host);
  CHECK(needs.shards == 4);
  CHECK(needs.client_fds == 10'000);
  CHECK(needs.server_fds == 25);
  CHECK(needs.fixed_fds == 64 + 3 * 4 + 4 + 1 + 10);  // 4 TCP listeners, 1 Unix socket, walsenders
  CHECK(needs.fds == 10'000 + 25 + 91);
  CHECK(needs.memlock == 4 * 512 * 1024);
  CHECK(check_limits(loaded.config, host));
}

TEST_CASE("limits: too many clients are refused with the limit, the number and the fix") {
  const LoadedConfig loaded = good("[listen]\nmax_clients = 30000\n" + std::string(good_tail));
  const auto result = check_limits(loaded.config, host);
  REQUIRE_FALSE(result);
  REQUIRE(result.error().size() == 1);
  CHECK(
      result.error()[0] ==
      "max_clients = 30000 needs 30111 file descriptors, the hard limit (RLIMIT_NOFILE) is 20000: "
      "set LimitNOFILE= in the unit, or lower listen.max_clients");
}

TEST_CASE("limits: locked memory counts only where the kernel charges it") {
  const LoadedConfig loaded = good("[shards]\ncount = 17\n" + std::string(good_tail));
  const auto result = check_limits(loaded.config, host);
  REQUIRE_FALSE(result);
  CHECK(result.error()[0].starts_with(
      "17 shards need 8704 KiB of locked memory, the hard limit (RLIMIT_MEMLOCK) is 8192 KiB"));
  HostLimits exempt = host;
  exempt.memlock_counts = false;
  CHECK(check_limits(loaded.config, exempt));
}

TEST_CASE("limits: pools are summed over known roles; \"*\" and trust leave the sum open") {
  LoadedConfig loaded = good(
      "[server.main]\n[database.a]\n[database.forced]\nuser = \"f\"\n[database.\"*\"]\n"
      "[role.x]\npassword = \"p\"\npool_size = 3\n[role.y]\npassword = \"p\"\n");
  Config& config = loaded.config;
  CHECK(pool_sum(config, config.databases.at("a")).connections == 23);
  CHECK(pool_sum(config, config.databases.at("a")).bounded);
  CHECK(pool_sum(config, config.databases.at("forced")).connections == 20);
  CHECK_FALSE(pool_sum(config, config.databases.at("*")).bounded);
  CHECK(limit_needs(config, host).fds_at_most == limit_needs(config, host).fds - 60 + 23 + 20 + 23);
  config.auth.method = AuthMethod::trust;
  CHECK_FALSE(pool_sum(config, config.databases.at("a")).bounded);
  CHECK(pool_sum(config, config.databases.at("forced")).bounded);
}

TEST_CASE("limits: a pool counts with its reserve, and each limit on connections lowers the sum") {
  LoadedConfig loaded = good(
      "[server.main]\n[database.a]\nreserve_pool_size = 4\nmax_connections = 40\n"
      "[database.off]\nreserve_pool_size = 4\nreserve_pool_timeout = \"off\"\n"
      "[database.forced]\nuser = \"x\"\n"
      "[role.x]\npassword = \"p\"\nmax_connections = 15\n[role.y]\npassword = \"p\"\n");
  Config& config = loaded.config;
  CHECK(pool_sum(config, config.databases.at("a")).connections == 15 + 24);
  CHECK(pool_sum(config, config.databases.at("off")).connections == 15 + 20);
  CHECK(pool_sum(config, config.databases.at("forced")).connections == 15);
  CHECK(pool_sum(config, "main").connections == 39 + 35 + 15);
  CHECK(limit_needs(config, host).server_fds == 24 + 20 + 15);
  config.databases.at("a").max_connections = 22;
  CHECK(pool_sum(config, config.databases.at("a")).connections == 22);
  config.servers.at("main").max_connections = 30;
  CHECK(pool_sum(config, "main").connections == 30);
  CHECK(limit_needs(config, host).server_fds == 30);
  const LimitNeeds needs = limit_needs(config, host);
  CHECK(needs.fds_at_most == needs.fds);
}

TEST_CASE("limits: a cap on a server bounds pools that nobody can count") {
  const std::string text = "[auth]\nmethod = \"trust\"\n[database.\"*\"]\nmax_connections = 9\n";
  const LoadedConfig open = good(text + "[server.main]\n");
  CHECK_FALSE(pool_sum(open.config, "main").bounded);
  CHECK_FALSE(limit_needs(open.config, host).servers_are_bounded);
  const LoadedConfig capped = good(text + "[server.main]\nmax_connections = 50\n");
  CHECK(pool_sum(capped.config, "main").bounded);
  CHECK(pool_sum(capped.config, "main").connections == 50);
  CHECK(limit_needs(capped.config, host).servers_are_bounded);
  CHECK(limit_needs(capped.config, host).server_fds == 9);
  const LoadedConfig named =
      good("[auth]\nmethod = \"trust\"\n[server.main]\n[database.a]\nmax_connections = 9\n");
  CHECK(limit_needs(named.config, host).servers_are_bounded);
  CHECK(pool_sum(named.config, "main").connections == 9);
}

TEST_CASE("limits: the machine's are read, and the soft limit is raised to the hard one") {
  const HostLimits limits = read_host_limits();
  CHECK(limits.usable_cores >= 1);
  rlimit files{};
  REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
  CHECK(limits.fd_hard == (files.rlim_max == RLIM_INFINITY ? UINT64_MAX : files.rlim_max));
  const rlimit lowered{files.rlim_cur / 2, files.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NOFILE, &lowered) == 0);
  REQUIRE(raise_limits());
  REQUIRE(getrlimit(RLIMIT_NOFILE, &files) == 0);
  CHECK(files.rlim_cur == files.rlim_max);
}
