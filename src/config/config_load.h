// Loading: from pgring.toml and the userlist to a Config, or everything that is wrong with them.
//
// What:   parse_config looks at text only; load_config reads the file, and the userlist it names.
// Life:   called at start, by `pgring check` and on reload; blocks on disk, so never on a shard.
// Errors: all at once, sorted by place. Warnings never make a load fail.
// Source: docs/config.md.
#pragma once

#include <string>
#include <string_view>

#include "src/base/diagnostic.h"
#include "src/base/result.h"
#include "src/config/config.h"

namespace pgring {

using ConfigError = Diagnostic;

struct LoadedConfig {
  Config config;
  Diagnostics warnings;
};

struct ConfigFailure {
  Diagnostics errors;  // never empty
  Diagnostics warnings;
};

using LoadResult = Result<LoadedConfig, ConfigFailure>;

[[nodiscard]] LoadResult load_config(const std::string& path);

// Without files: Config::users holds the [role] passwords only; no userlist, hba or ident file is looked at.
[[nodiscard]] LoadResult parse_config(std::string_view text, std::string_view filename);

// A path of the configuration: a relative one starts at the directory of pgring.toml.
[[nodiscard]] std::string path_beside(std::string_view config_path, const std::string& path);
// Of auth.file.
[[nodiscard]] std::string userlist_path(const Config& config, std::string_view config_path);

}  // namespace pgring
