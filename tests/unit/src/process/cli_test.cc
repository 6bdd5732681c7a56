#include "src/process/cli.h"

#include <doctest/doctest.h>

using namespace pgring;

namespace {
CliExit exit_of(std::vector<std::string> arguments) {
  const auto result = parse_command_line(std::move(arguments));
  REQUIRE_FALSE(result);
  return result.error();
}
}  // namespace

TEST_CASE("command line: pgring FILE and pgring run FILE run, pgring check FILE checks") {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"a.toml"}, {"run", "a.toml"}}) {
    const auto command = parse_command_line(arguments);
    REQUIRE(command);
    CHECK(command->action == Action::run);
    CHECK(command->config_path == "a.toml");
  }
  const auto check = parse_command_line({"check", "b.toml"});
  REQUIRE(check);
  CHECK(check->action == Action::check);
  CHECK(check->config_path == "b.toml");
}

TEST_CASE("command line: help and version go to stdout with exit code 0") {
  for (const char* flag : {"--help", "-h"}) {
    CHECK(exit_of({flag}).code == 0);
    CHECK(exit_of({flag}).text.find("check") != std::string::npos);
  }
  for (const char* flag : {"--version", "-V"}) {
    CHECK(exit_of({flag}).code == 0);
    CHECK(exit_of({flag}).text == "pgring " PGRING_TEST_VERSION "\n");
  }
  CHECK(exit_of({"check", "--help"}).text.find("FILE") != std::string::npos);
}

TEST_CASE("command line: wrong usage ends with code 1 and says where help is") {
  const std::vector<std::vector<std::string>> wrong{{},
                                                    {"check"},
                                                    {"run"},
                                                    {"a", "b"},
                                                    {"--banana"},
                                                    {"check", "a", "b"},
                                                    {"a", "check", "b"},
                                                    {"run", "check", "a"}};
  for (const auto& arguments : wrong) {
    const CliExit exit = exit_of(arguments);
    CAPTURE(exit.text);
    CHECK(exit.code == 1);
    CHECK(exit.text.find("Try pgring --help.") != std::string::npos);
  }
}
