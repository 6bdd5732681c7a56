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

TEST_CASE("command line: pgring password takes a role, never a password") {
  const auto scram = parse_command_line({"password", "app"});
  REQUIRE(scram);
  CHECK(scram->action == Action::password);
  CHECK(scram->password.role == "app");
  CHECK_FALSE(scram->password.md5);
  CHECK(scram->password.iterations == 4096);
  const auto md5 = parse_command_line({"password", "--md5", "app"});
  REQUIRE(md5);
  CHECK(md5->password.md5);
  const auto rounds = parse_command_line({"password", "app", "--iterations", "10000"});
  REQUIRE(rounds);
  CHECK(rounds->password.iterations == 10'000);
  CHECK(exit_of({"password"}).code == 1);
  CHECK(exit_of({"password", "app", "secret"}).code == 1);
  CHECK(exit_of({"password", "app", "--iterations", "0"}).code == 1);
  CHECK(exit_of({"password", std::string(64, 'x')}).text.find("63 bytes") != std::string::npos);
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

TEST_CASE("command line: pgring setup-sql takes a role or has the usual one") {
  const auto usual = parse_command_line({"setup-sql"});
  REQUIRE(usual);
  CHECK(usual->action == Action::setup_sql);
  CHECK(usual->setup_role == "pgring_auth");
  const auto own = parse_command_line({"setup-sql", "asker"});
  REQUIRE(own);
  CHECK(own->setup_role == "asker");
  CHECK(exit_of({"setup-sql", "two\nlines"}).code == 1);
  CHECK(exit_of({"setup-sql", "asker", "more"}).code == 1);
}
