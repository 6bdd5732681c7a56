#include "wire/statement_hint.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

#include "tests/unit/wire/bytes.h"

using wire::may_change_settings;

TEST_CASE("statement hint: what changes settings is seen, in any case") {
  for (const std::string_view sql :
       {"SET x = 1", "set", "SET", "reset all", "SELECT set_config('a','b',false)", "DISCARD ALL",
        "load 'x'", "bEgIn; SeT LOCAL a=1", "EXECUTE p", "select U&\"\\0073et_config\"('a','b')",
        "UPDATE pg_settings SET setting = 1"}) {
    CAPTURE(sql);
    CHECK(may_change_settings(sql));
  }
}

TEST_CASE("statement hint: ordinary queries are not seen") {
  for (const std::string_view sql :
       {"", "s", "se", "select 1", "SELECT abalance FROM pgbench_accounts WHERE aid = 1;", "BEGIN",
        "COMMIT", "INSERT INTO t VALUES (1)", "loa", "dis", "e t"}) {
    CAPTURE(sql);
    CHECK_FALSE(may_change_settings(sql));
  }
}

TEST_CASE("statement hint: a word is found at every position of texts of every length") {
  // Method: against vector blocks of 64 and their tails, each word at each offset of each length.
  for (std::size_t size = 3; size < 200; ++size) {
    const std::string text(size, '.');
    REQUIRE_FALSE(may_change_settings(text));
    for (const std::string_view word : {"set", "LOAD", "DiSc", "exec", "u&\""}) {
      for (std::size_t at = 0; at + word.size() <= size; ++at) {
        std::string with = text;
        with.replace(at, word.size(), word);
        if (!may_change_settings(with)) FAIL(word << " at " << at << " of " << size);
      }
    }
  }
}

TEST_CASE("statement hint: random texts agree with a search that is obviously right") {
  std::mt19937 random(4);
  int seen = 0;
  for (int i = 0; i < 20000; ++i) {
    const std::string text =
        wire_test::random_text(random, 150, "sSeEtTdDiIcClLoOaAxXuU&\" .,;`@[{");
    std::string lower = text;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    bool expected = false;
    for (const std::string_view word : {"set", "load", "disc", "exec", "u&\""}) {
      expected = expected || lower.find(word) != lower.npos;
    }
    REQUIRE(may_change_settings(text) == expected);
    seen += expected ? 1 : 0;
  }
  CHECK(seen > 300);
  CHECK(seen < 19700);
}

TEST_CASE("statement hint: RESET ALL is found in any spelling, RESET of one name is not") {
  for (const auto text :
       {"RESET ALL", "reset\n\tall;", "SELECT 1; Reset all", "CLOSE ALL;RESET ALL;"}) {
    CAPTURE(text);
    CHECK(wire::may_reset_all(text));
  }
  for (const auto text :
       {"", "reset", "RESET TimeZone", "resetall", "select 'all reset'", "RESET "}) {
    CAPTURE(text);
    CHECK_FALSE(wire::may_reset_all(text));
  }
}
