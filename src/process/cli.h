// The command line: pgring [run] FILE, pgring check FILE, pgring password ROLE, pgring setup-sql [ROLE],
// pgring --help, pgring --version.
//
// What:   turns arguments into a Command, or into the text and exit code to end with.
// Errors: wrong usage is a CliExit with the message and where help is.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/base/result.h"

namespace pgring {

enum class Action : std::uint8_t { run, check, password, setup_sql };

struct PasswordOptions {
  std::string role;
  bool md5 = false;  // else SCRAM-SHA-256
  std::uint32_t iterations = 4096;
};

struct Command {
  Action action = Action::run;
  std::string config_path;   // run, check
  PasswordOptions password;  // password
  std::string setup_role;    // setup_sql
};

struct CliExit {
  int code = 0;
  std::string text;  // for stdout when code is 0, else for stderr
};

// `arguments` without the program's name.
[[nodiscard]] Result<Command, CliExit> parse_command_line(std::vector<std::string> arguments);

}  // namespace pgring
