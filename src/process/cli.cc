#include "src/process/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "src/base/version.h"
#include "src/process/exit_code.h"

namespace pgring {

Result<Command, CliExit> parse_command_line(std::vector<std::string> arguments) {
  CLI::App app{"pgring: a connection pooler for PostgreSQL on io_uring", "pgring"};
  app.set_version_flag("--version,-V", fmt::format("pgring {}", version()));
  app.footer(
      "FILE is pgring.toml; pgring FILE is short for pgring run FILE.\n"
      "Exit codes: 0 ended as asked, 78 bad configuration, 69 no io_uring, 1 anything else.");
  Command command;
  auto* const file = app.add_option("FILE", command.config_path, "configuration to run with");
  auto* const run = app.add_subcommand("run", "run the pooler in the foreground");
  auto* const check = app.add_subcommand("check", "say what is wrong with FILE, or what would run");
  run->add_option("FILE", command.config_path, "configuration")->required();
  check->add_option("FILE", command.config_path, "configuration")->required();
  app.require_subcommand(0, 1);

  // CLI11 takes the arguments in reverse and reports by exceptions; they end here.
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(arguments);
  } catch (const CLI::CallForHelp&) {
    return Unexpected(CliExit{exit_ok, app.help()});
  } catch (const CLI::CallForVersion&) {
    return Unexpected(CliExit{exit_ok, fmt::format("pgring {}\n", version())});
  } catch (const CLI::ParseError& error) {
    return Unexpected(
        CliExit{exit_failure, fmt::format("pgring: {}\nTry pgring --help.\n", error.what())});
  }
  const bool has_subcommand = run->parsed() || check->parsed();
  if (has_subcommand && file->count() > 0) {
    return Unexpected(CliExit{
        exit_failure, fmt::format("pgring: \"{}\" is one file too many\nTry pgring --help.\n",
                                  command.config_path)});
  }
  if (command.config_path.empty()) {
    return Unexpected(CliExit{exit_failure, "pgring: FILE is missing\nTry pgring --help.\n"});
  }
  command.action = check->parsed() ? Action::check : Action::run;
  return command;
}

}  // namespace pgring
