#include "src/budget/facts.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "tests/unit/src/budget/answer.h"

using budget_test::Answer;
using budget_test::feed;
using budget_test::row_body;
using pgring::facts_query;
using pgring::FactsNames;
using pgring::FactsReader;

namespace {

const FactsNames names{.roles = {"app", "r\xc3\xb4le"}, .databases = {"app"}};

std::size_t occurrences(std::string_view text, std::string_view wanted) {
  std::size_t count = 0;
  for (auto at = text.find(wanted); at != std::string_view::npos; at = text.find(wanted, at + 1))
    ++count;
  return count;
}

}  // namespace

TEST_CASE("facts: an answer is read as it was given") {
  const auto facts =
      Answer{.instance = {{"-5", "1795267222920715", "4711", "100", "3", "2", "180001"}},
             .roles = {{"0", "16384", "-1", "f"}, {"1", "16385", "7", "t"}},
             .databases = {{"0", "5", "40"}},
             .backends = {{"4711", "5", "app", "16384", "app", "client backend"},
                          {"4712", "5", "app", "16385", {}, "client backend"},
                          {"99", "6", "theirs", "10", "owner", "walsender"},
                          {"98", {}, {}, {}, {}, "checkpointer"}}}
          .read(names);
  REQUIRE(facts);
  CHECK(facts->system_identifier == static_cast<std::uint64_t>(-5));  // SQL has no unsigned number
  CHECK(facts->started_us == 1795267222920715);
  CHECK(facts->own_pid == 4711);
  CHECK(facts->server_version == 180001);
  CHECK(facts->max_connections == 100);
  CHECK(facts->superuser_reserved == 3);
  CHECK(facts->reserved == 2);
  REQUIRE(facts->roles.size() == 2);
  CHECK(facts->roles[0].name == "app");
  CHECK_FALSE(facts->roles[0].connection_limit.has_value());
  CHECK_FALSE(facts->roles[0].superuser);
  CHECK(facts->roles[1].name == names.roles[1]);
  CHECK(facts->roles[1].connection_limit == 7);
  CHECK(facts->roles[1].superuser);
  REQUIRE(facts->databases.size() == 1);
  CHECK(facts->databases[0].connection_limit == 40);
  REQUIRE(facts->backends.size() == 4);
  CHECK(facts->backends[1].pid == 4712);
  CHECK(facts->backends[1].role == names.roles[1]);  // by its oid: the name was not spelled out
  CHECK(facts->backends[1].client);
  CHECK(facts->backends[2].role == "owner");
  CHECK_FALSE(facts->backends[2].client);
  CHECK_FALSE(facts->backends[3].client);
  CHECK(facts->backends[3].database.empty());
  CHECK_FALSE(facts->hidden);
}

TEST_CASE("facts: what a plain role cannot see is a client if it has a user and a database") {
  const auto facts = Answer{.backends = {{"1", "5", "app", "16384", "app", "client backend"},
                                         {"2", "5", "app", "10", "owner", {}},
                                         {"3", {}, {}, "10", "owner", {}},
                                         {"4", "5", "app", {}, {}, {}},
                                         {"5", {}, {}, {}, {}, {}}}}
                         .read(names);
  REQUIRE(facts);
  CHECK(facts->hidden);
  const std::vector<bool> clients{true, true, false, false, false};
  for (std::size_t i = 0; i < clients.size(); ++i) {
    CAPTURE(i);
    CHECK(facts->backends[i].client == clients[i]);
    CHECK(facts->backends[i].estimated == (i == 1));
  }
}

TEST_CASE("facts: a client that is still logging in takes a place, a parallel worker does not") {
  const auto facts = Answer{.backends = {{"1", {}, {}, {}, {}, "client backend"},
                                         {"2", "5", "app", "10", "owner", "parallel worker"}}}
                         .read(names);
  REQUIRE(facts);
  CHECK(facts->backends[0].client);
  CHECK_FALSE(facts->backends[1].client);
}

TEST_CASE("facts: walsenders take ordinary places before PostgreSQL 12") {
  for (const auto& [version, takes] : {std::pair{"110022", true}, std::pair{"120000", false}}) {
    const auto facts = Answer{.instance = {{"1", "1", "1", "100", "3", {}, version}},
                              .backends = {{"1", {}, {}, "10", "owner", "walsender"}}}
                           .read(names);
    REQUIRE(facts);
    CHECK(facts->backends[0].client == takes);
  }
}

TEST_CASE("facts: a role may be kept from the identifier, and old servers have nothing reserved") {
  const auto facts = Answer{.instance = {{{}, "1", "1", "100", "3", {}, "100000"}}}.read(names);
  REQUIRE(facts);
  CHECK(facts->system_identifier == 0);
  CHECK(facts->reserved == 0);
}

TEST_CASE("facts: a database that was dropped halfway has no limit of its own") {
  const auto facts = Answer{.databases = {{"0", "5", "-2"}}}.read(names);
  REQUIRE(facts);
  CHECK_FALSE(facts->databases[0].connection_limit.has_value());
}

TEST_CASE("facts: malformed values are an error and nothing else") {
  const std::vector<Answer> answers{
      {.instance = {{"1", {}, "1", "100", "3", {}, "1"}}},
      {.instance = {{"1", "1", "1", "-1", "3", {}, "1"}}},
      {.instance = {{"1", "1", "1", "4294967296", "3", {}, "1"}}},
      {.instance = {{"1", "1", "1", "100 ", "3", {}, "1"}}},
      {.instance = {{"1", "1", "1", "100", "", {}, "1"}}},
      {.instance = {{"x", "1", "1", "100", "3", {}, "1"}}},
      {.instance = {{"1", "1", "1", "100", "3", "x", "1"}}},
      {.instance = {{"1", "1", "1", "100", "3", {}, {}}}},
      {.instance = {{"1", "1", "1", "100", "3", {}}}},
      {.instance = {}},
      {.instance = {{"1", "1", "1", "100", "3", {}, "1"}, {"1", "1", "1", "100", "3", {}, "1"}}},
      {.roles = {{"2", "1", "-1", "f"}}},  // nobody asked for a third
      {.roles = {{"-1", "1", "-1", "f"}}},
      {.roles = {{{}, "1", "-1", "f"}}},
      {.roles = {{"0", {}, "-1", "f"}}},
      {.roles = {{"0", "1", {}, "f"}}},
      {.roles = {{"0", "1", "-1", {}}}},
      {.databases = {{"1", "1", "-1"}}},
      {.databases = {{"0", "1", "9999999999"}}},
      {.backends = {{{}, "5", "app", "1", "app", "client backend"}}},
      {.backends = {{"1", "five", "app", "1", "app", "client backend"}}},
      {.backends = {{"1", "5", "app", "-1", "app", "client backend"}}},
  };
  for (std::size_t i = 0; i < answers.size(); ++i) {
    CAPTURE(i);
    const auto facts = answers[i].read(names);
    REQUIRE_FALSE(facts);
    CHECK_FALSE(facts.error().empty());
  }
}

TEST_CASE("facts: an answer cut short, or with more results, is not one") {
  for (std::size_t results = 0; results <= 7; ++results) {
    CAPTURE(results);
    FactsReader reader{std::make_shared<const FactsNames>(names)};
    for (std::size_t i = 0; i < results; ++i) {
      if (i == 2) feed(reader, Answer{}.instance[0]);
      reader.command_complete();
    }
    CHECK(reader.finish().has_value() == (results == 6));
  }
}

TEST_CASE("facts: a row where none is due is an error") {
  FactsReader reader{std::make_shared<const FactsNames>(names)};
  feed(reader, {"1"});
  CHECK_FALSE(reader.finish());
}

TEST_CASE("facts: an endless answer is given up, by rows and by bytes") {
  Answer many;
  many.backends.assign(FactsReader::rows_max - 1, {"1", "5", "app", "10", "app", {}});
  CHECK(many.read(names));
  many.backends.push_back(many.backends.front());
  CHECK_FALSE(many.read(names));

  Answer large;
  const std::string name(65536, 'x');
  large.backends.assign(63, {"1", "5", name, "10", "app", {}});
  const auto facts = large.read(names);
  REQUIRE(facts);
  CHECK(facts->backends[0].database.size() == 63);
  large.backends.push_back(large.backends.front());
  CHECK_FALSE(large.read(names));
}

TEST_CASE("facts: rows cut or changed anywhere are an error or harmless, never a fault") {
  // Method: one good row, each prefix of it, then single bytes changed at random.
  const std::string whole = row_body({"1", "5", "app", "10", "app", {}});
  std::mt19937 random{7};
  for (std::size_t step = 0; step < whole.size() + 20000; ++step) {
    FactsReader reader{std::make_shared<const FactsNames>(names)};
    for (int i = 0; i < 2; ++i) reader.command_complete();
    feed(reader, Answer{}.instance[0]);
    for (int i = 0; i < 3; ++i) reader.command_complete();
    std::string body = whole.substr(0, step < whole.size() ? step : whole.size());
    if (step >= whole.size()) body[random() % body.size()] = static_cast<char>(random());
    reader.row(std::as_bytes(std::span{body}));
    reader.command_complete();
    const bool read = reader.finish().has_value();
    if (step < whole.size()) CHECK_FALSE(read);
  }
}

TEST_CASE(
    "facts query: whatever a name holds, the text is ASCII and the name cannot leave its place") {
  const std::string_view nasty = "a'); DROP TABLE x; --\\'\"\n";
  const std::string sql = facts_query({.roles = {std::string{nasty}}, .databases = {"b\\"}});
  CHECK(std::ranges::all_of(sql, [](char c) { return c >= 0x20 && c < 0x7f; }));
  CHECK(sql.find("(0, E'a''); DROP TABLE x; --\\\\''\"\\x0A')") != std::string::npos);
  CHECK(sql.find("(0, E'b\\\\')") != std::string::npos);
}

TEST_CASE("facts query: a name beyond ASCII is decoded where that cannot fail, and else left out") {
  const std::string sql =
      facts_query({.roles = {"\xc3\xa9", "\xe9", std::string{"n\0l", 3}, ""}, .databases = {}});
  CHECK(
      sql.find("(0, CASE WHEN pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.=) 'UTF8' THEN "
               "pg_catalog.convert_from(CAST(E'\\\\xc3a9' AS pg_catalog.bytea), 'UTF8') END)") !=
      std::string::npos);
  for (const std::string_view left_out : {"(1,", "(2,", "(3,"})
    CHECK(sql.find(left_out) == std::string::npos);
}

TEST_CASE("facts query: a name is cut as PostgreSQL cuts it") {
  const std::string sql = facts_query({.roles = {std::string(70, 'n')}, .databases = {}});
  CHECK(sql.find("(0, E'" + std::string(63, 'n') + "')") != std::string::npos);
}

TEST_CASE("facts query: every function, type, relation and operator is qualified") {
  // Method: what stands before '(' and after FROM, AS and OPERATOR; names and strings are taken out first.
  std::string sql = facts_query(names);
  sql.erase(0, sql.find("SELECT"));
  std::string plain;
  bool quoted = false;
  for (const char c : sql) {
    if (c == '\'') quoted = !quoted;
    if (!quoted && c != '\'') plain += c;
  }
  for (const std::string_view bare : {" = ", " <> ", " ~ ", " || ", " IN ", "::text", "::int"})
    CHECK(plain.find(bare) == std::string::npos);
  CHECK(occurrences(plain, "FROM ") == occurrences(plain, "FROM pg_catalog."));
  for (const std::string_view function :
       {"has_function_privilege", "query_to_xml", "pg_postmaster_start_time", "pg_backend_pid",
        "current_setting", "substring", "pg_roles", "pg_database", "pg_stat_activity", "text",
        "int8", "bytea", "convert_from", "getdatabaseencoding"}) {
    CAPTURE(function);
    const std::string qualified = "pg_catalog." + std::string{function};
    CHECK(occurrences(plain, qualified) > 0);
    CHECK(occurrences(plain, " " + std::string{function} + "(") == 0);
    CHECK(occurrences(plain, "(" + std::string{function} + "(") == 0);
  }
}
