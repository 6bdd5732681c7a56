#include "src/config/config_check.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <optional>

#include "src/base/near_match.h"
#include "src/config/budget_check.h"
#include "src/config/lookup_check.h"
#include "src/config/toml_document.h"

namespace pgring {
namespace {

constexpr std::size_t socket_path_size_max = sizeof(sockaddr_un::sun_path) - 1;
constexpr std::size_t host_name_size_max = 253;  // RFC 1035 section 2.3.4, as text

// The one spelling of an IP address, or nullopt if the text is none.
std::optional<std::string> normalized_ip(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  std::array<char, INET6_ADDRSTRLEN> shown{};
  for (const int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, text.c_str(), bytes.data()) != 1) continue;
    if (inet_ntop(family, bytes.data(), shown.data(), shown.size()) == nullptr) continue;
    return std::string(shown.data());
  }
  return std::nullopt;
}

bool is_loopback(std::string_view address) {
  return address.starts_with("127.") || address == "::1" || address == "localhost";
}

bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= host_name_size_max && text.front() != '-' &&
         text.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
             "-._") == std::string_view::npos &&
         // Digits and dots only were meant as an IPv4 address.
         text.find_first_not_of("0123456789.") != std::string_view::npos;
}

std::string address_hint(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const bool has_port = colon != std::string_view::npos && colon + 1 < text.size() &&
                        text.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
  if (has_port) return fmt::format("the port has its own key: port = {}", text.substr(colon + 1));
  if (text.starts_with('[')) return "an IPv6 address is written without brackets";
  return {};
}

void check_addresses(const Config& config, ConfigSource& source) {
  std::map<std::string, std::string> seen;  // normalized -> as written
  for (const std::string& address : config.listen.address) {
    const auto ip = normalized_ip(address);
    if (address != "*" && !ip && !is_host_name(address)) {
      source.error("listen.address",
                   fmt::format("\"{}\" is not an IP address, a host name or \"*\"", address),
                   address_hint(address));
      continue;
    }
    const auto [first, is_new] = seen.try_emplace(ip.value_or(address), address);
    if (!is_new) {
      source.error("listen.address",
                   fmt::format("\"{}\" and \"{}\" are the same address", first->second, address),
                   {});
    }
  }
  if (seen.size() > 1 && seen.contains("*")) {
    source.error("listen.address", "\"*\" already holds every other address",
                 "write [\"*\"] alone");
  }
}

void check_socket_dir(ConfigSource& source, const std::string& key, std::string_view dir,
                      std::uint32_t port) {
  if (!dir.starts_with('/')) {
    source.error(key, fmt::format("\"{}\" is not an absolute path", dir),
                 "the directory of a Unix socket begins with /");
    return;
  }
  const std::string path = unix_socket_path(dir, port);
  if (path.size() > socket_path_size_max) {
    source.error(key,
                 fmt::format("the socket's path is {} bytes long (at most {}): {}", path.size(),
                             socket_path_size_max, path),
                 "use a shorter directory");
  }
}

void check_listen(const Config& config, ConfigSource& source) {
  check_addresses(config, source);
  const ListenConfig& listen = config.listen;
  if (!listen.unix_socket_dir.empty()) {
    check_socket_dir(source, "listen.unix_socket_dir", listen.unix_socket_dir, listen.port);
  } else if (listen.address.empty() && source.complete) {
    source.error("listen.address", "pgring would listen on nothing: no address, no Unix socket",
                 "set listen.address or listen.unix_socket_dir");
  }
  if (config.auth.method != AuthMethod::trust || !config.auth.hba_file.empty()) return;
  for (const std::string& address : listen.address) {
    if (is_loopback(address)) continue;
    source.warning("auth.method",
                   fmt::format("\"trust\" lets everybody who reaches {} in as any role", address),
                   "use \"scram-sha-256\", or listen on the loopback only");
    return;
  }
}

void check_servers(const Config& config, ConfigSource& source) {
  for (const auto& [name, server] : config.servers) {
    const std::string key = entry_key("server", name) + ".host";
    if (server.host.starts_with('/')) {
      check_socket_dir(source, key, server.host, server.port);
    } else if (!normalized_ip(server.host) && !is_host_name(server.host)) {
      source.error(
          key, fmt::format("\"{}\" is not an IP address, a host name or a directory", server.host),
          address_hint(server.host));
    }
  }
}

void check_database(const Config& config, ConfigSource& source, const std::string& name,
                    const DatabaseConfig& database) {
  const std::string key = entry_key("database", name);
  if (is_console_database(name)) {
    source.error(key, fmt::format("\"{}\" is the name of the console", name),
                 "give the entry another name and set dbname");
  }
  if (!config.servers.contains(database.server) && source.complete) {
    std::vector<std::string_view> names;
    for (const auto& [server, unused] : config.servers) names.push_back(server);
    const std::string_view near = near_match(database.server, names);
    source.error(key + ".server",
                 fmt::format("[{}] does not exist", entry_key("server", database.server)),
                 near.empty() ? "add the section, or name one that exists"
                              : fmt::format("did you mean \"{}\"?", near));
  }
  if (database.wildcard && !database.dbname.empty() && !database.user.empty()) {
    source.error(key + ".dbname",
                 "any database name and any role would end in one database as one role",
                 "give that database an entry of its own, or leave dbname or user out");
  }
  if (!database.password.empty() && database.user.empty()) {
    source.error(key + ".password", "a password without the role it is of",
                 "set user, or give the role a [role.NAME] with the password");
  }
  if (database.user.size() > role_name_size_max) {
    source.error(key + ".user",
                 fmt::format("the name is {} bytes long (PostgreSQL's limit is {})",
                             database.user.size(), role_name_size_max),
                 {});
  }
  if (database.dbname.size() > role_name_size_max) {
    source.error(key + ".dbname",
                 fmt::format("the name is {} bytes long (PostgreSQL's limit is {})",
                             database.dbname.size(), role_name_size_max),
                 {});
  }
}

void check_databases(const Config& config, ConfigSource& source) {
  if (config.databases.empty() && source.complete) {
    source.error("database", "there is no database to connect to",
                 "add [database.NAME], or [database.\"*\"] for all of a server");
  }
  for (const auto& [name, database] : config.databases) {
    check_database(config, source, name, database);
  }
}

void check_roles(const Config& config, ConfigSource& source) {
  for (const auto& [name, role] : config.roles) {
    const auto kind = classify_secret(role.password.reveal());
    if (!kind) source.error(entry_key("role", name) + ".password", kind.error(), {});
  }
  for (const std::string& admin : config.console.admins) {
    const auto& viewers = config.console.viewers;
    if (std::find(viewers.begin(), viewers.end(), admin) == viewers.end()) continue;
    source.warning("console.viewers", fmt::format("\"{}\" is an admin already", admin), {});
  }
}

}  // namespace

void check_config(const Config& config, ConfigSource& source) {
  check_listen(config, source);
  check_servers(config, source);
  check_databases(config, source);
  check_roles(config, source);
  check_budget(config, source);
  check_lookups(config, source);
  if (config.auth.file.empty() && config.auth.role.empty() && config.auth.hba_file.empty() &&
      config.auth.method != AuthMethod::trust) {
    source.error("auth.file", "the path is empty",
                 "name the userlist, or set auth.role to have PostgreSQL asked");
  }
  const TimeoutsConfig& timeouts = config.timeouts;
  if (timeouts.client_login == duration_off) {
    source.warning("timeouts.client_login",
                   "\"off\" lets a client that says nothing hold a place for ever", {});
  }
}

void check_users(const Config& config, ConfigSource& source) {
  if (!asks_for_secrets(config)) return;
  if (config.users.empty() && config.auth.role.empty()) {
    source.warning("auth.file",
                   config.access.hba ? "no role has a secret: nobody can log in with a password"
                                     : "no role has a secret: nobody can log in",
                   "add a line \"role\" \"secret\" to the userlist, or set auth.role");
  }
  if (config.access.hba || config.auth.method != AuthMethod::scram_sha_256) return;
  for (const auto& [name, secret] : config.users) {
    if (secret.kind != SecretKind::md5) continue;
    source.warning(
        "auth.method",
        fmt::format("role \"{}\" has an md5 secret and cannot log in by scram-sha-256", name),
        "store its SCRAM secret or password, or set auth.method = \"md5\"");
  }
}

}  // namespace pgring
