// Goal: what an operator or a driver may type is read as meant, and nothing else is.
#include "src/console/command.h"

#include <doctest/doctest.h>

#include <string>

#include "wire/sqlstate.h"

namespace pgring::console {
namespace {

Command one(std::string_view text) {
  CAPTURE(text);
  auto commands = read_commands(text);
  REQUIRE(commands.has_value());
  REQUIRE(commands->size() == 1);
  return commands->front();
}

CommandError error_of(std::string_view text) {
  CAPTURE(text);
  auto commands = read_commands(text);
  REQUIRE_FALSE(commands.has_value());
  return commands.error();
}

}  // namespace

TEST_CASE("command: a SHOW is read in any case, with or without a semicolon") {
  for (const std::string_view text :
       {"SHOW POOLS", "show pools;", "  Show\tPools ; ", "SELECT pools", "show/* x */pools -- y"}) {
    const Command command = one(text);
    CHECK(command.verb == Verb::show);
    CHECK(command.topic == Topic::pools);
    CHECK(command.tag == "SHOW");
  }
}

TEST_CASE("command: what only pgring has to show is known by its name, and in the help") {
  CHECK(one("SHOW BUDGET").topic == Topic::budget);
  CHECK(one("show waits;").topic == Topic::waits);
  CHECK(one("SHOW SHARDS").topic == Topic::shards);
  CHECK(one("show pins").topic == Topic::pins);
  CHECK(one("SHOW PINS_TOTALS").topic == Topic::pins_totals);
  CHECK(one("SHOW statements").topic == Topic::statements);
  CHECK(one("SHOW TLS").topic == Topic::tls);
  CHECK(error_of("SHOW BUDGETS").hint.find("SHOW BUDGET") != std::string::npos);
  CHECK(error_of("SHOW WAITS now").sqlstate == wire::sqlstate::syntax_error);
  for (const std::string_view name :
       {"BUDGET", "WAITS", "SHARDS", "PINS", "PINS_TOTALS", "STATEMENTS", "TLS"})
    CHECK(help_text().find(name) != std::string_view::npos);
}

TEST_CASE("command: a text without commands holds none") {
  for (const std::string_view text : {"", " ", ";", " ; ;; ", "-- nothing", "/* a /* b */ c */"}) {
    CAPTURE(text);
    const auto commands = read_commands(text);
    REQUIRE(commands.has_value());
    CHECK(commands->empty());
  }
}

TEST_CASE("command: several are read in order") {
  const auto commands = read_commands("SHOW VERSION; PAUSE app ;; RESUME \"app\"; RELOAD");
  REQUIRE(commands.has_value());
  REQUIRE(commands->size() == 4);
  CHECK((*commands)[0].topic == Topic::version);
  CHECK((*commands)[1].verb == Verb::pause);
  CHECK((*commands)[1].argument == "app");
  CHECK((*commands)[2].verb == Verb::resume);
  CHECK((*commands)[2].argument == "app");
  CHECK((*commands)[3].verb == Verb::reload);
}

TEST_CASE("command: one that is wrong spoils the text, so that nothing of it runs") {
  CHECK(error_of("PAUSE; RELAOD").sqlstate == wire::sqlstate::syntax_error);
}

TEST_CASE("command: an argument is a word or quoted, with quotes doubled") {
  CHECK(one("PAUSE my-db_1.x").argument == "my-db_1.x");
  CHECK(one("PAUSE \"a \"\"b\"\"; c\"").argument == "a \"b\"; c");
  CHECK(one("PAUSE 'it''s'").argument == "it's");
  CHECK(one("PAUSE \"MiXed\"").argument == "MiXed");
  CHECK(one("PAUSE").argument.empty());
  CHECK(one("KILL_CLIENT 17").argument == "17");
}

TEST_CASE("command: an empty quoted name is no way to say all databases") {
  CHECK(error_of("PAUSE \"\"").sqlstate == wire::sqlstate::syntax_error);
  CHECK(error_of("RECONNECT ''").sqlstate == wire::sqlstate::syntax_error);
}

TEST_CASE("command: what does not belong there is a syntax error") {
  for (const std::string_view text : {"SHOW",
                                      "SHOW POOLS x",
                                      "SHOW \"POOLS\" y",
                                      "PAUSE a b",
                                      "PAUSE =",
                                      "KILL_CLIENT",
                                      "RELOAD now",
                                      "SHUTDOWN soon",
                                      "SHUTDOWN WAIT_FOR_SERVERS x",
                                      "SHOW 'POOLS",
                                      "SHOW \"POOLS",
                                      "SHOW /* POOLS",
                                      "SHOW /* a /* b */",
                                      "SET",
                                      "SET timezone",
                                      "SET timezone TO",
                                      "=",
                                      "FROB",
                                      "DEALLOCATE",
                                      "START"}) {
    CHECK(error_of(text).sqlstate == wire::sqlstate::syntax_error);
  }
}

TEST_CASE("command: an unknown word is answered with a near one") {
  CHECK(error_of("SHOW POLS").hint.find("SHOW POOLS") != std::string::npos);
  CHECK(error_of("RELAOD").hint.find("RELOAD") != std::string::npos);
  CHECK(error_of("SHOW zzzzzzzz").hint.find("SHOW HELP") != std::string::npos);
}

TEST_CASE("command: an error repeats no more than the beginning of a long word") {
  const std::string word(60'000, 'a');
  CHECK(error_of("SHOW " + word).message.size() < 200);
  CHECK(error_of(word).message.size() < 200);
  CHECK(error_of("SET " + word + " = 1").message.size() < 200);
}

TEST_CASE("command: what drivers send on connect is acknowledged") {
  for (const std::string_view text :
       {"SET client_encoding = 'UTF8'", "SET extra_float_digits = 3", "set DateStyle to 'ISO'",
        "SET TIME ZONE 'UTC'", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET NAMES 'utf8'", "SET search_path = a, b"}) {
    CHECK(one(text).verb == Verb::set);
    CHECK(one(text).tag == "SET");
  }
  CHECK(one("BEGIN ISOLATION LEVEL SERIALIZABLE").tag == "BEGIN");
  CHECK(one("start transaction").tag == "START TRANSACTION");
  CHECK(one("COMMIT").tag == "COMMIT");
  CHECK(one("END").tag == "COMMIT");
  CHECK(one("ROLLBACK").tag == "ROLLBACK");
  CHECK(one("DISCARD ALL").verb == Verb::deallocate_all);
  CHECK(one("DEALLOCATE \"_pg3_0\"").argument == "_pg3_0");
  CHECK(one("SHOW TRANSACTION ISOLATION LEVEL").argument == "transaction_isolation");
  CHECK(one("SHOW TimeZone").argument == "timezone");
}

TEST_CASE("command: a setting of pgring is not changed here") {
  const auto error = error_of("SET pool_size = 7");
  CHECK(error.sqlstate == wire::sqlstate::undefined_object);
  CHECK(error.hint.find("RELOAD") != std::string::npos);
}

TEST_CASE("command: a parameter is refused") {
  CHECK(error_of("KILL_CLIENT $1").sqlstate == wire::sqlstate::feature_not_supported);
}

TEST_CASE("command: all but looking and what drivers send is control") {
  for (const std::string_view text :
       {"RELOAD", "PAUSE", "RESUME", "RECONNECT", "KILL_CLIENT 1", "SHUTDOWN",
        "SHUTDOWN WAIT_FOR_SERVERS", "SHUTDOWN WAIT_FOR_CLIENTS"}) {
    CHECK(is_control(one(text).verb));
  }
  for (const std::string_view text :
       {"SHOW CONFIG", "SET timezone = 'UTC'", "BEGIN", "DEALLOCATE x", "DISCARD ALL"}) {
    CHECK_FALSE(is_control(one(text).verb));
  }
}

TEST_CASE("command: reading ends at every cut of a long text") {
  // Method: each prefix of a text with all kinds of tokens is read; it must come back, in whatever way.
  const std::string text =
      "SHOW /* a /* b */ */ POOLS; PAUSE \"x\"\"y\" -- end\n; SET a = 'b''c', 1.5; $1 \xc3\xa9 "
      "\x01";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    const auto commands = read_commands(std::string_view{text}.substr(0, size));
    CHECK((commands.has_value() || !commands.error().message.empty()));
  }
}

}  // namespace pgring::console
