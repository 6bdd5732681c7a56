#include "src/process/check_command.h"

#include <fmt/format.h>

#include "src/base/join.h"
#include "src/config/config_names.h"
#include "src/config/toml_document.h"
#include "src/process/exit_code.h"

namespace pgring {
namespace {

std::string endpoint_text(const std::string& host, std::uint32_t port) {
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

std::string listeners_text(const Config& config) {
  std::vector<std::string> places;
  places.reserve(config.listen.address.size() + 1);
  for (const std::string& address : config.listen.address) {
    places.push_back(endpoint_text(address, config.listen.port));
  }
  if (!config.listen.unix_socket_dir.empty()) {
    places.push_back(unix_socket_path(config.listen.unix_socket_dir, config.listen.port));
  }
  return join(places, ", ");
}

std::string count_text(PoolSum sum) {
  return sum.bounded ? fmt::format("up to {} connections", sum.connections)
                     : fmt::format("{} connections or more (not all names are known here)",
                                   sum.connections);
}

std::string auth_text(const Config& config) {
  const std::string how = config.access.hba ? fmt::format("{} ({} lines)", config.auth.hba_file,
                                                          config.access.hba->rules().size())
                                            : std::string(name_of(config.auth.method));
  std::string text = fmt::format("{}, {} role{} with a stored secret", how, config.users.size(),
                                 config.users.size() == 1 ? "" : "s");
  if (!config.access.hba && config.auth.method == AuthMethod::trust) {
    // Rule 28: trust leaves pgring no secret to log in to PostgreSQL with.
    text +=
        "\n              a role without one reaches PostgreSQL only where pg_hba.conf asks for"
        " no password";
  }
  return text;
}

void append_server(std::string& text, const Config& config, const std::string& name,
                   const ServerConfig& server) {
  const std::string place = server.host.starts_with('/')
                                ? unix_socket_path(server.host, server.port)
                                : endpoint_text(server.host, server.port);
  text += fmt::format("server {}: {}, {}\n", quoted_key(name), place,
                      count_text(pool_sum(config, name)));
}

void append_database(std::string& text, const Config& config, const std::string& name,
                     const DatabaseConfig& database) {
  text += fmt::format("database {}: server {}, {} pooling, pool size {} per role",
                      database.wildcard ? "\"*\" (any other)" : quoted_key(name),
                      quoted_key(database.server), name_of(database.pool_mode), database.pool_size);
  if (!database.dbname.empty()) text += fmt::format(", dbname {}", database.dbname);
  if (!database.user.empty()) text += fmt::format(", as role {}", database.user);
  text += fmt::format(", {}\n", count_text(pool_sum(config, database)));
}

}  // namespace

std::string to_text(const Diagnostics& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) text += to_string(diagnostic) + "\n";
  return text;
}

std::string limits_text(const std::string& path, const std::vector<std::string>& problems) {
  std::string text;
  for (const std::string& problem : problems) {
    text += fmt::format("{}: error: {}\n", path, problem);
  }
  return text;
}

std::string describe_config(const Config& config, const LimitNeeds& needs, const HostLimits& host) {
  std::string text;
  text += fmt::format("listen:       {}\n", listeners_text(config));
  text += fmt::format("shards:       {}{}\n", needs.shards,
                      config.shards.count ? "" : " (auto: one per usable core)");
  text += fmt::format("auth:         {}\n", auth_text(config));
  text += fmt::format(
      "descriptors:  {} needed ({} clients + {} servers + {} fixed), {} with every pool full; "
      "hard limit {}\n",
      needs.fds, needs.client_fds, needs.server_fds, needs.fixed_fds,
      needs.servers_are_bounded ? fmt::to_string(needs.fds_at_most)
                                : fmt::format("at least {}", needs.fds_at_most),
      host.fd_hard == UINT64_MAX ? "none" : fmt::to_string(host.fd_hard));
  text += fmt::format("memlock:      {} KiB needed; {}\n", needs.memlock / 1024,
                      !host.memlock_counts ? "not charged here (older kernel or CAP_IPC_LOCK)"
                      : host.memlock_hard == UINT64_MAX
                          ? "no hard limit"
                          : fmt::format("hard limit {} KiB", host.memlock_hard / 1024));
  for (const auto& [name, server] : config.servers) append_server(text, config, name, server);
  for (const auto& [name, database] : config.databases) {
    append_database(text, config, name, database);
  }
  return text;
}

CheckReport check_file(const std::string& path, const HostLimits& host) {
  CheckReport report;
  auto loaded = load_config(path);
  if (!loaded) {
    const ConfigFailure& failure = loaded.error();
    report.exit_code = exit_config;
    report.errors = to_text(failure.errors) + to_text(failure.warnings);
    report.errors += fmt::format("{}: {} error{}\n", path, failure.errors.size(),
                                 failure.errors.size() == 1 ? "" : "s");
    return report;
  }
  report.errors = to_text(loaded->warnings);
  const auto needs = check_limits(loaded->config, host);
  if (!needs) {
    report.exit_code = exit_config;
    report.errors += limits_text(path, needs.error());
    return report;
  }
  if (needs->fds_at_most > host.fd_hard) {
    report.errors += fmt::format(
        "{}: warning: with every pool full {} file descriptors are needed, the hard limit "
        "(RLIMIT_NOFILE) is {}\n",
        path, needs->fds_at_most, host.fd_hard);
  }
  report.output = fmt::format("{} is good and would run:\n", path);
  report.output += describe_config(loaded->config, *needs, host);
  return report;
}

}  // namespace pgring
