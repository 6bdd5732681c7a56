#include "src/statement/client_statements.h"

#include <doctest/doctest.h>

using pgring::ClientStatements;
using pgring::Prepared;
using pgring::StatementTable;

namespace {

Prepared prepared(StatementTable& table, std::string text) {
  return {.statement = table.intern({.text = std::move(text), .types = {}, .settings = {}}),
          .version = {}};
}

}  // namespace

TEST_CASE("client statements: a name stands for what was put last") {
  StatementTable table;
  ClientStatements names;
  CHECK(names.find("a") == nullptr);
  names.put("a", prepared(table, "one"));
  names.put("b", prepared(table, "two"));
  REQUIRE(names.find("a") != nullptr);
  CHECK(names.find("a")->statement->key().text == "one");
  names.put("a", prepared(table, "three"));
  CHECK(names.find("a")->statement->key().text == "three");
  CHECK(names.find("b")->statement->key().text == "two");
  CHECK(table.size() == 2);
  names.erase("a");
  CHECK(names.find("a") == nullptr);
  names.erase("a");
  CHECK(names.find("A") == nullptr);
}

TEST_CASE("client statements: PostgreSQL compares 63 bytes of a name, and so do we") {
  StatementTable table;
  ClientStatements names;
  const std::string full(63, 'n');
  names.put(full + "tail", prepared(table, "one"));
  REQUIRE(names.find(full) != nullptr);
  CHECK(names.find(full) == names.find(full + "other"));
  CHECK(names.find(full.substr(1)) == nullptr);
  names.put(full + "x", prepared(table, "two"));
  CHECK(names.names.size() == 1);
  CHECK(names.find(full)->statement->key().text == "two");
  names.erase(full + "y");
  CHECK(names.names.empty());
  CHECK(names.bytes == 0);
}

TEST_CASE("client statements: bytes are those of the texts behind the names") {
  StatementTable table;
  ClientStatements names;
  names.put("a", prepared(table, "12345"));
  names.put("b", prepared(table, "12345"));  // each name counts
  CHECK(names.bytes == 10);
  names.put("a", prepared(table, "1"));
  CHECK(names.bytes == 6);
  names.put("c", {});  // an SQL PREPARE's
  CHECK(names.bytes == 6);
  names.erase("c");
  names.erase("nobody");
  CHECK(names.bytes == 6);
  names.erase("b");
  CHECK(names.bytes == 1);
  names.clear();
  CHECK(names.bytes == 0);
  CHECK(names.names.empty());
}

TEST_CASE("client statements: clear() also forgets the unnamed one") {
  ClientStatements names;
  names.unnamed = {.exists = true, .kept = true, .token = 7, .body = "x"};
  names.clear();
  CHECK_FALSE(names.unnamed.exists);
  CHECK_FALSE(names.unnamed.kept);
  CHECK(names.unnamed.token == 0);
  CHECK(names.unnamed.body.empty());
}
