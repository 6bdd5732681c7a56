// The SQL of `pgring setup-sql`: names are quoted wherever they stand. That it works a test on PostgreSQL shows.
#include "src/process/setup_sql_command.h"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

using namespace pgring;

namespace {

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("setup-sql: the function is safe, and its role's alone") {
  const std::string sql = setup_sql(setup_role_usual);
  for (const std::string_view part :
       {"SECURITY DEFINER", "SET search_path = pg_catalog, pg_temp",
        "REVOKE ALL ON FUNCTION pgring.secret_of(pg_catalog.name) FROM PUBLIC;",
        "GRANT EXECUTE ON FUNCTION pgring.secret_of(pg_catalog.name) TO \"pgring_auth\";",
        "REVOKE ALL ON SCHEMA pgring FROM PUBLIC;", "rolvaliduntil", "\nBEGIN;\n", "\nCOMMIT;\n",
        "--   role = \"pgring_auth\"\n"}) {
    CAPTURE(part);
    CHECK(contains(sql, part));
  }
  CHECK_FALSE(contains(sql, "CREATE OR REPLACE FUNCTION"));
}

TEST_CASE("setup-sql: a name with quotes and backslashes stays one name") {
  const std::string sql = setup_sql("a\"b'c\\d");
  CHECK(contains(sql, "CREATE ROLE \"a\"\"b'c\\d\";"));
  CHECK(contains(sql, "rolname = E'a\"b''c\\\\d'"));
  CHECK(contains(sql, "--   role = \"a\\\"b'c\\\\d\"\n"));
}

TEST_CASE("setup-sql: what would end a comment or a dollar quote is no name") {
  CHECK(is_setup_role("asker"));
  CHECK(is_setup_role("Käse; DROP TABLE x --"));
  CHECK(is_setup_role(std::string(63, 'a')));
  for (const std::string& name :
       {std::string{}, std::string{"a\nb"}, std::string{"$do$"}, std::string{"a\x7f"},
        std::string{"a\0b", 3}, std::string(64, 'a')}) {
    CAPTURE(name);
    CHECK_FALSE(is_setup_role(name));
  }
}
