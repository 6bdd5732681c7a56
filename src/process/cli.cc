#include "src/process/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "src/auth/stored_secret.h"
#include "src/base/version.h"
#include "src/process/exit_code.h"
#include "src/process/setup_sql_command.h"
#include "wire/limits.h"

namespace pgring {

namespace {

CliExit too_many(const std::string& file) {
  return {exit_failure,
          fmt::format("pgring: \"{}\" is one file too many\nTry pgring --help.\n", file)};
}

}  // namespace

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
  auto* const password = app.add_subcommand(
      "password", "make a line for the userlist: asks for the password, or reads it from stdin");
  password->add_option("ROLE", command.password.role, "the role's name")->required();
  password->add_flag("--md5", command.password.md5, "an md5 secret instead of a SCRAM one");
  password
      ->add_option("--iterations", command.password.iterations,
                   "rounds of SCRAM-SHA-256; PostgreSQL's own default is 4096")
      ->check(CLI::Range(std::uint32_t{1}, wire::scram_iterations_max));
  auto* const setup = app.add_subcommand(
      "setup-sql", "print the SQL that lets a role look secrets up for auth.query");
  command.setup_role = setup_role_usual;
  setup->add_option("ROLE", command.setup_role, "the role's name; pgring_auth if it is left out");
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
  if (password->parsed()) {
    if (file->count() > 0) return Unexpected(too_many(command.config_path));
    const std::string& role = command.password.role;
    if (role.empty() || role.size() > role_name_size_max) {
      return Unexpected(
          CliExit{exit_failure,
                  fmt::format("pgring: a role's name has 1 to {} bytes\n", role_name_size_max)});
    }
    command.action = Action::password;
    return command;
  }
  if (setup->parsed()) {
    if (file->count() > 0) return Unexpected(too_many(command.config_path));
    if (!is_setup_role(command.setup_role)) {
      return Unexpected(CliExit{
          exit_failure,
          fmt::format("pgring: a role's name has 1 to {} bytes, here without a \"$\" and control "
                      "characters\n",
                      role_name_size_max)});
    }
    command.action = Action::setup_sql;
    return command;
  }
  const bool has_subcommand = run->parsed() || check->parsed();
  if (has_subcommand && file->count() > 0) {
    return Unexpected(too_many(command.config_path));
  }
  if (command.config_path.empty()) {
    return Unexpected(CliExit{exit_failure, "pgring: FILE is missing\nTry pgring --help.\n"});
  }
  command.action = check->parsed() ? Action::check : Action::run;
  return command;
}

}  // namespace pgring
