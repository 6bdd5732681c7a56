#include "wire/sql_transaction_end.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using wire::read_transaction_end;
using Kind = wire::SqlTransactionEnd::Kind;

TEST_CASE("sql transaction end: every spelling of an end") {
  for (const std::string_view sql :
       {"commit", "COMMIT;", "end", "End Work", "commit transaction", "/* a */ commit -- b",
        ";;commit;;", "COMMIT AND NO CHAIN", "end work and no chain"}) {
    CAPTURE(sql);
    const auto end = read_transaction_end(sql);
    CHECK(end.kind == Kind::commit);
    CHECK(!end.chain);
    CHECK(end.alone);
    CHECK(end.is_exit());
  }
  for (const std::string_view sql : {"rollback", "abort", "ABORT WORK;", "rollback transaction"}) {
    CAPTURE(sql);
    CHECK(read_transaction_end(sql).kind == Kind::rollback);
    CHECK(!read_transaction_end(sql).chain);
  }
  for (const std::string_view sql : {"rollback and chain", "abort work and chain"}) {
    CAPTURE(sql);
    CHECK(read_transaction_end(sql).kind == Kind::rollback);
    CHECK(read_transaction_end(sql).chain);
  }
  CHECK(read_transaction_end("commit and chain").chain);
}

TEST_CASE("sql transaction end: back to a savepoint, by its name") {
  const auto named = [](std::string_view sql) {
    const auto end = read_transaction_end(sql);
    CHECK(end.kind == Kind::rollback_to);
    return end.savepoint;
  };
  CHECK(named("ROLLBACK TO Abc") == "abc");
  CHECK(named("rollback work to savepoint \"A \"\" b\"") == "A \" b");
  CHECK(named("rollback to savepoint") == "savepoint");
  CHECK(named("rollback to savepoint savepoint") == "savepoint");
  CHECK(named("rollback to \"savepoint\"") == "savepoint");
  CHECK(named("rollback to " + std::string(70, 'x')) == std::string(63, 'x'));
}

TEST_CASE("sql transaction end: PREPARE TRANSACTION is one") {
  CHECK(read_transaction_end("prepare transaction 'x'").kind == Kind::prepare);
  CHECK(read_transaction_end("prepare transaction e'\\x41' ;").kind == Kind::prepare);
}

TEST_CASE("sql transaction end: what only begins like one is none") {
  for (const std::string_view sql : {"commit prepared 'x'",
                                     "rollback prepared 'x'",
                                     "commit 1",
                                     "commit and",
                                     "commit and no",
                                     "commit work transaction",
                                     "rollback to",
                                     "rollback to 1",
                                     "abort to a",
                                     "rollback to savepoint a b",
                                     "prepare transaction",
                                     "prepare transaction b'1'",
                                     "prepare x as select 1",
                                     "select 1",
                                     "\"commit\"",
                                     "savepoint a",
                                     "release a",
                                     "begin",
                                     "commit 'x",
                                     "commit /* x",
                                     "/* x",
                                     "rollback to savepoint u&\"a\"",
                                     "commit; select 'x"}) {
    CAPTURE(sql);
    const auto end = read_transaction_end(sql);
    CHECK(end.kind == Kind::other);
    CHECK(!end.is_exit());
    CHECK(end.savepoint.empty());
  }
}

TEST_CASE("sql transaction end: a text without a statement is empty") {
  for (const std::string_view sql : {"", " ", ";", "-- commit", "/* commit */ ;; \n", "\0commit"}) {
    CAPTURE(sql);
    CHECK(read_transaction_end(sql).kind == Kind::empty);
    CHECK(read_transaction_end(sql).alone);
  }
}

TEST_CASE("sql transaction end: whether there is more behind it") {
  CHECK(!read_transaction_end("rollback; select 1").alone);
  CHECK(read_transaction_end("rollback; select 1").kind == Kind::rollback);
  CHECK(!read_transaction_end("select 1; rollback").alone);
  CHECK(read_transaction_end("select 1; rollback").kind == Kind::other);
  CHECK(read_transaction_end("select 1; -- rollback").alone);
}
