#include "src/config/config_load.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <tuple>
#include <utility>

#include "src/auth/userlist.h"
#include "src/config/access_load.h"
#include "src/config/config_check.h"
#include "src/config/config_reader.h"
#include "src/config/config_tls.h"
#include "src/config/secret_file.h"
#include "src/config/secret_source.h"
#include "src/config/toml_document.h"

namespace pgring {
namespace {

constexpr std::size_t userlist_size_max = std::size_t{256} * 1024 * 1024;

bool file_is_missing(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) != 0 && errno == ENOENT;
}

void read_userlist(const std::string& path, Config& config, ConfigSource& source) {
  // Where PostgreSQL is asked there need be none.
  const bool is_needed =
      asks_for_secrets(config) && (config.auth.role.empty() || source.has("auth.file"));
  auto file = read_secret_file(path, userlist_size_max);
  if (!file) {
    std::string message = fmt::format("cannot read the userlist {}: {}", path, file.error());
    if (is_needed) {
      source.error("auth.file", std::move(message),
                   "create it (a line is \"role\" \"secret\"), readable by pgring's user");
    } else if (source.has("auth.file") || !file_is_missing(path)) {
      source.warning("auth.file", std::move(message),
                     "no login asks for a secret: they go on without it");
    }
    return;
  }
  if (auto wrong = wrong_mode(*file, path)) {
    source.errors.push_back({Severity::error,
                             path,
                             {},
                             "auth.file",
                             "the userlist holds secrets: " + wrong->message,
                             std::move(wrong->chmod),
                             {}});
  }
  auto users = parse_userlist(file->text, path);
  if (users) {
    config.users = std::move(*users);
  } else {
    for (Diagnostic& error : users.error()) source.errors.push_back(std::move(error));
  }
}

void lay_roles_over_users(Config& config) {
  for (const auto& [name, role] : config.roles) {
    if (role.password.empty()) continue;
    const auto kind = classify_secret(role.password.reveal());
    if (!kind) continue;  // check_config has reported it
    config.users[name] = StoredSecret{role.password.clone(), *kind};
  }
}

// The config's own come first, then those of the files it names.
void sort_by_place(Diagnostics& diagnostics, const std::string& config_file) {
  const auto rank = [&](const Diagnostic& d) {
    return std::tuple(d.file != config_file, std::string_view(d.file), d.at,
                      std::string_view(d.message));
  };
  std::sort(diagnostics.begin(), diagnostics.end(),
            [&](const Diagnostic& a, const Diagnostic& b) { return rank(a) < rank(b); });
}

LoadResult finish(Config config, ConfigSource& source) {
  sort_by_place(source.errors, source.source.file());
  sort_by_place(source.warnings, source.source.file());
  if (!source.errors.empty()) {
    return Unexpected(ConfigFailure{std::move(source.errors), std::move(source.warnings)});
  }
  return LoadedConfig{std::move(config), std::move(source.warnings)};
}

}  // namespace

std::string path_beside(std::string_view config_path, const std::string& path) {
  const std::size_t slash = config_path.rfind('/');
  if (path.starts_with('/') || slash == std::string_view::npos) return path;
  return std::string(config_path.substr(0, slash + 1)) + path;
}

std::string userlist_path(const Config& config, std::string_view config_path) {
  return path_beside(config_path, config.auth.file);
}

LoadResult parse_config(std::string_view text, std::string_view filename) {
  ConfigSource source(filename, text);
  Config config;
  read_config(source, config);
  check_config(config, source);
  lay_roles_over_users(config);
  return finish(std::move(config), source);
}

LoadResult load_config(const std::string& path) {
  auto file = read_secret_file(path, config_file_size_max);
  if (!file) {
    Diagnostic error{
        Severity::error, path, {}, {}, "cannot read the file: " + file.error(), {}, {}};
    return Unexpected(ConfigFailure{{std::move(error)}, {}});
  }
  ConfigSource source(path, file->text);
  Config config;
  read_config(source, config);
  resolve_secrets(source, path);
  check_config(config, source);
  DiskAuthFiles auth_files;
  load_access(config, path, auth_files, source);
  if (!config.auth.file.empty()) read_userlist(userlist_path(config, path), config, source);
  lay_roles_over_users(config);
  load_tls(path, config, source);
  if (source.errors.empty()) check_users(config, source);
  if (auto wrong = wrong_mode(*file, path); wrong && source.has_secret) {
    source.errors.push_back({Severity::error,
                             path,
                             {},
                             {},
                             "the file holds a secret: " + wrong->message,
                             std::move(wrong->chmod),
                             {}});
  }
  return finish(std::move(config), source);
}

}  // namespace pgring
