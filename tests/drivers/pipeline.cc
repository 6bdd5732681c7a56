// libpq in pipeline mode, with named statements; see target.Target.run.

#include <libpq-fe.h>

#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>

namespace {

void check(bool holds, const std::string& what) {
  if (holds) return;
  std::cerr << "not so: " << what << '\n';
  std::exit(1);
}

void shuffle() {
  std::cout << "shuffle" << std::endl;
  std::string line;
  std::getline(std::cin, line);
}

PGresult* expect(PGconn* connection, ExecStatusType status, const std::string& what) {
  PGresult* result = PQgetResult(connection);
  check(result != nullptr, what + ": there is a result");
  check(PQresultStatus(result) == status,
        what + ": " + PQresStatus(PQresultStatus(result)) + " " + PQresultErrorMessage(result));
  return result;
}

// Takes one result and the null pointer behind it; the first value.
std::string one_of(PGconn* connection, ExecStatusType status, const std::string& what) {
  PGresult* result = expect(connection, status, what);
  std::string value = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
  if (status == PGRES_FATAL_ERROR) value = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  PQclear(result);
  check(PQgetResult(connection) == nullptr, what + ": one result only");
  return value;
}

void synced(PGconn* connection) {
  PQclear(expect(connection, PGRES_PIPELINE_SYNC, "the pipeline is in step"));
}

void send(PGconn* connection, const char* name, const char* value) {
  const char* values[] = {value};
  check(PQsendQueryPrepared(connection, name, 1, values, nullptr, nullptr, 0) == 1, "sent");
}

void sync(PGconn* connection) {
  check(PQpipelineSync(connection) == 1, std::string("sync: ") + PQerrorMessage(connection));
}

// `name` is the same for both clients and `text` is not.
void statements(PGconn* connection, const char* text, const std::string& mark) {
  check(PQenterPipelineMode(connection) == 1, "pipeline mode is entered");
  check(PQsendPrepare(connection, "s", text, 0, nullptr) == 1, "prepare is sent");
  sync(connection);
  one_of(connection, PGRES_COMMAND_OK, "prepare");
  synced(connection);
  for (int turn = 0; turn < 4; turn++) {
    shuffle();
    for (int number = 0; number < 30; number++) {
      send(connection, "s", std::to_string(number).c_str());
      if (number % 10 == 9) sync(connection);  // three groups on their way at once
    }
    for (int number = 0; number < 30; number++) {
      check(one_of(connection, PGRES_TUPLES_OK, "execute") == mark + std::to_string(number),
            "the value is this client's own");
      if (number % 10 == 9) synced(connection);
    }
    check(PQsendQueryParams(connection, "select pg_backend_pid()", 0, nullptr, nullptr, nullptr,
                            nullptr, 0) == 1,
          "the backend is asked for");
    sync(connection);
    std::cout << "pid " << one_of(connection, PGRES_TUPLES_OK, "pid") << std::endl;
    synced(connection);
  }
}

void errors(PGconn* connection, const std::string& mark) {
  for (int turn = 0; turn < 3; turn++) {
    shuffle();
    send(connection, "s", "1");
    send(connection, "missing", "1");
    send(connection, "s", "2");  // skipped
    sync(connection);
    send(connection, "s", "3");
    check(PQsendPrepare(connection, "s", "select 1", 0, nullptr) == 1, "prepare is sent");
    sync(connection);
    send(connection, "s", "4");
    sync(connection);
    check(one_of(connection, PGRES_TUPLES_OK, "before the error") == mark + "1", "one");
    check(one_of(connection, PGRES_FATAL_ERROR, "an unknown name") == "26000", "26000");
    one_of(connection, PGRES_PIPELINE_ABORTED, "skipped");
    synced(connection);
    check(one_of(connection, PGRES_TUPLES_OK, "the second group") == mark + "3", "three");
    check(one_of(connection, PGRES_FATAL_ERROR, "a name in use") == "42P05", "42P05");
    synced(connection);
    check(one_of(connection, PGRES_TUPLES_OK, "the third group") == mark + "4", "four");
    synced(connection);
  }
}

// BEGIN, work and COMMIT without reading; a transaction over several groups.
void transactions(PGconn* connection, const std::string& mark) {
  const auto query = [&](const std::string& text) {
    check(
        PQsendQueryParams(connection, text.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 0) == 1,
        "a query is sent");
  };
  for (int turn = 0; turn < 3; turn++) {
    shuffle();
    query("begin");
    query("insert into ledger values ('" + mark + "')");
    sync(connection);
    query("savepoint here");
    query("select 1/0");
    sync(connection);
    query("rollback to here");
    query("commit");
    sync(connection);
    one_of(connection, PGRES_COMMAND_OK, "begin");
    one_of(connection, PGRES_COMMAND_OK, "insert");
    synced(connection);
    one_of(connection, PGRES_COMMAND_OK, "savepoint");
    check(one_of(connection, PGRES_FATAL_ERROR, "division") == "22012", "22012");
    synced(connection);
    one_of(connection, PGRES_COMMAND_OK, "rollback to");
    one_of(connection, PGRES_COMMAND_OK, "commit");
    synced(connection);
  }
}

// Replies that are read before any Sync, by Flush.
void flushed(PGconn* connection, const std::string& mark) {
  for (int turn = 0; turn < 3; turn++) {
    shuffle();
    send(connection, "s", "7");
    check(PQsendFlushRequest(connection) == 1 && PQflush(connection) == 0, "a flush is sent");
    check(one_of(connection, PGRES_TUPLES_OK, "before the sync") == mark + "7", "seven");
    send(connection, "s", "8");
    sync(connection);
    check(one_of(connection, PGRES_TUPLES_OK, "with the sync") == mark + "8", "eight");
    synced(connection);
  }
}

void described(PGconn* connection) {
  shuffle();
  check(PQsendDescribePrepared(connection, "s") == 1, "describe is sent");
  sync(connection);
  PGresult* result = expect(connection, PGRES_COMMAND_OK, "describe");
  check(PQnparams(result) == 1 && PQnfields(result) == 1, "one parameter and one column");
  PQclear(result);
  check(PQgetResult(connection) == nullptr, "describe: one result only");
  synced(connection);
}

PGconn* connect() {
  PGconn* connection = PQconnectdb("");  // by the PG... variables
  check(PQstatus(connection) == CONNECTION_OK, PQerrorMessage(connection));
  return connection;
}

}  // namespace

int main() {
  PGconn* one = connect();
  PGconn* two = connect();
  statements(one, "select 'one' || $1::text", "one");
  statements(two, "select 'two' || $1::text as word", "two");
  for (int turn = 0; turn < 2; turn++) {
    for (const auto& [connection, mark] : {std::pair{one, "one"}, std::pair{two, "two"}}) {
      errors(connection, mark);
      transactions(connection, mark);
      flushed(connection, mark);
      described(connection);
    }
  }
  for (PGconn* connection : {one, two}) {
    check(PQexitPipelineMode(connection) == 1, PQerrorMessage(connection));
    PQfinish(connection);
  }
  std::cout << "ok" << std::endl;
}
