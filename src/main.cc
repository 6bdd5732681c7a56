// pgring: parse the command line, then do what it says: read the configuration, check it or run it.
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "src/process/check_command.h"
#include "src/process/cli.h"
#include "src/process/exit_code.h"
#include "src/process/password_command.h"
#include "src/process/run.h"
#include "src/process/setup_sql_command.h"

namespace {

void print(std::FILE* stream, const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

int run(const std::string& path) {
  auto loaded = pgring::load_config(path);
  if (!loaded) {
    print(stderr,
          pgring::to_text(loaded.error().errors) + pgring::to_text(loaded.error().warnings));
    return pgring::exit_config;
  }
  print(stderr, pgring::to_text(loaded->warnings));
  if (const auto raised = pgring::raise_limits(); !raised) {
    print(stderr, "pgring: " + raised.error() + "\n");
    return pgring::exit_failure;
  }
  const auto needs = pgring::check_limits(loaded->config, pgring::read_host_limits());
  if (!needs) {
    print(stderr, pgring::limits_text(path, needs.error()));
    return pgring::exit_config;
  }
  return pgring::run_pooler(std::move(loaded->config), path);
}

}  // namespace

int main(int argument_count, char** arguments) {
  const auto command = pgring::parse_command_line(
      std::vector<std::string>(arguments + 1, arguments + argument_count));
  if (!command) {
    print(command.error().code == pgring::exit_ok ? stdout : stderr, command.error().text);
    return command.error().code;
  }
  if (command->action == pgring::Action::run) return run(command->config_path);
  if (command->action == pgring::Action::password)
    return pgring::run_password_command(command->password);
  if (command->action == pgring::Action::setup_sql) {
    print(stdout, pgring::setup_sql(command->setup_role));
    return pgring::exit_ok;
  }
  const auto report = pgring::check_file(command->config_path, pgring::read_host_limits());
  print(stderr, report.errors);
  print(stdout, report.output);
  return report.exit_code;
}
