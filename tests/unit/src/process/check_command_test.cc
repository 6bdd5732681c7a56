#include "src/process/check_command.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/src/config/config_test_util.h"

using namespace pgring;
using config_test::contains;

namespace {

constexpr HostLimits host{
    .fd_hard = 20'000, .memlock_hard = UINT64_MAX, .memlock_counts = true, .usable_cores = 2};

CheckReport check(std::string_view text) {
  char name[] = "/tmp/pgring-check-test-XXXXXX";
  const int fd = mkstemp(name);
  REQUIRE(fd >= 0);
  close(fd);
  std::ofstream(name) << text;
  CheckReport report = check_file(name, host);
  std::filesystem::remove(name);
  return report;
}

}  // namespace

TEST_CASE("check: a good file says what would run") {
  const CheckReport report = check(
      "[listen]\naddress = [\"127.0.0.1\", \"::1\"]\n[auth]\nmethod = \"trust\"\n"
      "[server.main]\nhost = \"::1\"\n[server.sock]\n"
      "[database.app]\npool_mode = \"session\"\npool_size = 7\nuser = \"u\"\n"
      "[database.\"*\"]\nserver = \"sock\"\n[role.r]\npassword = \"p\"\n");
  CAPTURE(report.errors);
  CAPTURE(report.output);
  CHECK(report.exit_code == 0);
  CHECK(report.errors.empty());
  for (const char* part :
       {"127.0.0.1:6432, [::1]:6432, /run/pgring/.s.PGSQL.6432", "shards:       2 (auto",
        "auth:         trust, 1 role with a stored secret", "server main: [::1]:5432, up to 7 conn",
        "server sock: /run/postgresql/.s.PGSQL.5432, 20 connections or more",
        "database app: server main, session pooling, pool size 7 per role, as role u, up to 7",
        "database \"*\" (any other): server sock, transaction pooling, pool size 20 per role",
        "10122 needed (10000 clients + 27 servers + 95 fixed)", "memlock:      1024 KiB needed"}) {
    CAPTURE(part);
    CHECK(contains(report.output, part));
  }
}

TEST_CASE("check: a bad file prints every error and ends with 78") {
  const CheckReport report = check("[listen]\nport = 0\n[server.main]\n[database.app]\nx = 1\n");
  CHECK(report.exit_code == 78);
  CHECK(report.output.empty());
  CHECK(contains(report.errors, ":2:8: error: listen.port"));
  CHECK(contains(report.errors, ":5:1: error: database.app.x"));
  CHECK(contains(report.errors, "cannot read the userlist"));
  CHECK(report.errors.ends_with(": 3 errors\n"));
}

TEST_CASE("check: limits that cannot carry the file are errors too") {
  const CheckReport report = check(
      "[listen]\nmax_clients = 30000\n[auth]\nmethod = \"trust\"\n[server.main]\n[database.app]\n");
  CHECK(report.exit_code == 78);
  CHECK(contains(report.errors, "error: max_clients = 30000 needs 30"));
}
