// libpqxx as an application uses it; see target.Target.run.

#include <cstdlib>
#include <iostream>
#include <pqxx/pqxx>
#include <string>

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

// Both clients name their statement "s", with different texts.
void statements(pqxx::connection& one, pqxx::connection& two) {
  one.prepare("s", "select $1::int + 1000, pg_backend_pid()");
  two.prepare("s", "select $1::text || ' of two'");
  for (int number = 0; number < 6; number++) {
    {
      pqxx::work work(one);
      const pqxx::result rows = work.exec_prepared("s", number);
      check(rows[0][0].as<int>() == number + 1000, "the sum is one's");
      std::cout << "pid " << rows[0][1].as<int>() << std::endl;
      work.commit();
    }
    shuffle();
    {
      pqxx::nontransaction work(two);
      const pqxx::result rows = work.exec_prepared("s", "w");
      check(rows[0][0].as<std::string>() == "w of two", "the word is two's");
    }
    shuffle();
  }
  one.unprepare("s");
  shuffle();
  pqxx::work work(two);
  const pqxx::result rows = work.exec_prepared("s", "late");
  check(rows[0][0].as<std::string>() == "late of two", "two's statement is still there");
}

void transactions(pqxx::connection& one) {
  for (int turn = 0; turn < 3; turn++) {
    pqxx::work work(one);
    work.exec_params("insert into ledger values ($1)", "kept");
    try {
      pqxx::subtransaction inner(work);
      inner.exec("insert into ledger values ('lost')");
      inner.exec("select 1/0");
      check(false, "a division by zero is an error");
    } catch (const pqxx::sql_error& error) {
      check(error.sqlstate() == "22012", "the error is 22012, not " + error.sqlstate());
    }
    work.exec("insert into ledger values ('kept too')");
    work.commit();
    shuffle();
  }
  pqxx::work work(one);
  check(work.exec("select count(*) from ledger")[0][0].as<int>() == 6, "six rows are committed");
}

void streams(pqxx::connection& one) {
  pqxx::work work(one);
  pqxx::pipeline pipeline(work);
  for (int number = 0; number < 20; number++) pipeline.insert("select " + std::to_string(number));
  for (int number = 0; number < 20; number++)
    check(pipeline.retrieve().second[0][0].as<int>() == number, "the pipeline's order");
  pipeline.complete();
  pqxx::stateless_cursor<pqxx::cursor_base::read_only, pqxx::cursor_base::owned> cursor(
      work, "select generate_series(1, 500)", "rows", false);
  check(cursor.size() == 500, "the cursor has 500 rows");
  check(cursor.retrieve(100, 200)[0][0].as<int>() == 101, "the cursor's row 101");
  work.commit();
}

}  // namespace

int main() {
  pqxx::connection one;  // by the PG... variables
  pqxx::connection two;
  statements(one, two);
  transactions(one);
  for (int turn = 0; turn < 2; turn++) {
    streams(one);
    shuffle();
  }
  std::cout << "ok" << std::endl;
}
