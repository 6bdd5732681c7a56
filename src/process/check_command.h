// pgring check FILE: everything wrong with a configuration, or what it would run.
//
// What:   texts only; main() prints them. Nothing is opened or changed but the files read.
// Errors: exit code 78 with all errors on stderr.
#pragma once

#include <string>

#include "src/base/diagnostic.h"
#include "src/config/config_load.h"
#include "src/process/limits.h"

namespace pgring {

struct CheckReport {
  int exit_code = 0;
  std::string output;  // stdout
  std::string errors;  // stderr: errors and warnings
};
[[nodiscard]] CheckReport check_file(const std::string& path, const HostLimits& host);

// One diagnostic per paragraph.
[[nodiscard]] std::string to_text(const Diagnostics& diagnostics);

// "cannot run: …" for each limit that is too low.
[[nodiscard]] std::string limits_text(const std::string& path,
                                      const std::vector<std::string>& problems);

// What would run, for people.
[[nodiscard]] std::string describe_config(const Config& config, const LimitNeeds& needs,
                                          const HostLimits& host);

}  // namespace pgring
