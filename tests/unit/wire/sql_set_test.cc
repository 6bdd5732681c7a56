#include "wire/sql_set.h"

#include <doctest/doctest.h>

#include <random>

using wire::plain_set;
using wire::PlainSet;

namespace {

PlainSet to(std::string name, std::string value) { return {std::move(name), std::move(value)}; }
PlainSet back(std::string name) { return {std::move(name), std::nullopt}; }

}  // namespace

TEST_CASE("sql set: one plain value for one setting") {
  CHECK(plain_set("SET work_mem = '6MB'") == to("work_mem", "6MB"));
  CHECK(plain_set(" set Session Work_Mem to 6000 ;") == to("work_mem", "6000"));
  CHECK(plain_set("SET/**/x=on--") == to("x", "on"));
  CHECK(plain_set("set enable_seqscan to OFF") == to("enable_seqscan", "off"));
  CHECK(plain_set("set a.B.c = 'It is'") == to("a.b.c", "It is"));
  CHECK(plain_set("set x = ''") == to("x", ""));
  CHECK(plain_set("set x = 1.50") == to("x", "1.50"));
  CHECK(plain_set("set x to - 1") == to("x", "-1"));
  CHECK(plain_set("set x to 'default'") == to("x", "default"));
}

TEST_CASE("sql set: back to the default") {
  CHECK(plain_set("reset work_mem") == back("work_mem"));
  CHECK(plain_set("RESET a . b;") == back("a.b"));
  CHECK(plain_set("set x to DEFAULT") == back("x"));
  CHECK(plain_set("set session x = default ;") == back("x"));
}

TEST_CASE("sql set: what says less, or more, is not told") {
  for (const auto* sql : {"",
                          ";",
                          "set",
                          "reset",
                          "set x",
                          "set x =",
                          "set x to",
                          "set = 1",
                          "select 1",
                          "reset all",
                          "set all = 1",
                          "set local x = 1",
                          "set session local x = 1",
                          "set session session x = 1",
                          "set x = 1, 2",
                          "set x = 1; set y = 2",
                          "set x = 1;;",
                          "set x = 'a' 'b'",
                          "set x = 'it''s'",
                          "set x = E'a'",
                          "set x = 'a\\b'",
                          "set x = U&'a'",
                          "set x = $$a$$",
                          "set x = 'ü'",
                          "set x = \"A\"",
                          "set \"X\" = 1",
                          "set x = 0x10",
                          "set x = 007",
                          "set x = 1e3",
                          "set x = 1_000",
                          "set x = 1.",
                          "set x = .5",
                          "set x = 1234567890",
                          "set x = + 1",
                          "set x from current",
                          "set time zone 'UTC'",
                          "set names 'latin1'",
                          "set role app",
                          "set role = app",
                          "set session authorization app",
                          "set transaction read only",
                          "set session characteristics as transaction read only",
                          "set search_path = a",
                          "set SEARCH_PATH to 'a, b'",
                          "reset role",
                          "reset session authorization",
                          "set seed to 0.5",
                          "set transaction_isolation = serializable",
                          "set client_encoding = 'SJIS'",
                          "set standard_conforming_strings = off",
                          "set xml option document",
                          "set x. = 1",
                          "set .x = 1",
                          "set x = default, 1",
                          "set x = 'unterminated",
                          "set x = (1)",
                          "reset x y"}) {
    CAPTURE(sql);
    CHECK(!plain_set(sql));
  }
}

TEST_CASE("sql set: any text is read to its end") {
  // Method: words and marks put together at random; what is told must be told again in other letters.
  std::mt19937 random{7};  // NOLINT(cert-msc32-c, cert-msc51-cpp): the same texts each time
  constexpr std::string_view pieces[] = {"set ", "reset ", "x", ".",      " to ", "=",
                                         "'a'",  "1",      " ", ";",      "--",   "'",
                                         "$$",   "\"",     "-", "default"};
  for (int i = 0; i < 20000; ++i) {
    std::string text = "set ";
    for (auto left = random() % 8; left > 0; --left) text += pieces[random() % std::size(pieces)];
    const auto found = plain_set(text);
    if (!found || !found->value) continue;
    CHECK(plain_set("SET " + found->name + " TO '" + *found->value + "'") == found);
  }
}
