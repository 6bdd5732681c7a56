#include "src/server/server_audit.h"

#include <doctest/doctest.h>

#include <optional>
#include <vector>

#include "tests/unit/wire/bytes.h"
#include "wire/message_builder.h"

using namespace std::string_view_literals;
using pgring::Audit;
using pgring::find_parameter;

namespace {

std::string row_of(std::vector<std::optional<std::string_view>> values) {
  std::string out;
  wire::append_data_row(out, values);
  return out.substr(5);
}

void add(Audit& audit, std::string_view kind, std::string_view name, std::string_view value) {
  audit.row(wire::as_bytes(row_of({kind, name, value})));
}

bool is_malformed(std::string_view body) {
  Audit audit;
  audit.row(wire::as_bytes(body));
  CHECK(audit.settings.empty());
  CHECK(audit.session_user.empty());
  CHECK(audit.pins.empty());
  return audit.malformed();
}

}  // namespace

TEST_CASE("audit: settings, the session's user and what pins are told apart") {
  Audit audit;
  add(audit, "s", "work_mem", "4096");
  add(audit, "s", "TimeZone", "UTC");
  add(audit, "u", "", "alice");
  add(audit, "p", "advisory lock", "");
  CHECK_FALSE(audit.malformed());
  REQUIRE(audit.settings.size() == 2);
  REQUIRE(find_parameter(audit.settings, "timezone") != nullptr);
  CHECK(find_parameter(audit.settings, "timezone")->value == "UTC");
  CHECK(find_parameter(audit.settings, "work_mem")->value == "4096");
  CHECK(audit.session_user == "alice");
  CHECK(audit.pins.text() == "advisory lock");
}

TEST_CASE("audit: nothing found is nothing to pin") {
  const Audit audit;
  CHECK(audit.settings.empty());
  CHECK(audit.pins.empty());
  CHECK_FALSE(audit.malformed());
}

TEST_CASE("audit: several pins are listed") {
  Audit audit;
  add(audit, "p", "temporary object", "");
  add(audit, "p", "LISTEN", "");
  add(audit, "p", "PREPARE", "");
  CHECK(audit.pins.text() == "temporary object, LISTEN, PREPARE");
}

TEST_CASE("audit: a setting named twice counts once, and an empty value is a value") {
  Audit audit;
  add(audit, "s", "app.user", "7");
  add(audit, "s", "APP.user", "");
  REQUIRE(audit.settings.size() == 1);
  CHECK(audit.settings.front().value.empty());
  CHECK(audit.settings.front().name == "app.user");
}

TEST_CASE("audit: values keep every byte that is not zero") {
  Audit audit;
  add(audit, "s", "a.b", "it's \"x\"\n\xff\\");
  REQUIRE(audit.settings.size() == 1);
  CHECK(audit.settings.front().value == "it's \"x\"\n\xff\\");
}

TEST_CASE("audit: a row of another shape is malformed and leaves nothing") {
  CHECK(is_malformed(""));
  CHECK(is_malformed("\0"sv));
  CHECK(is_malformed(row_of({})));
  CHECK(is_malformed(row_of({"s", "work_mem"})));
  CHECK(is_malformed(row_of({"s", "work_mem", "1", "2"})));
  CHECK(is_malformed(row_of({"", "work_mem", "1"})));
  CHECK(is_malformed(row_of({"ss", "work_mem", "1"})));
  CHECK(is_malformed(row_of({"s", "work_mem", std::nullopt})));  // pg_settings has no such
  CHECK(is_malformed(row_of({std::nullopt, "work_mem", "1"})));
  const std::string whole = row_of({"s", "work_mem", "1"});
  CHECK(is_malformed(whole + "x"));
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    CAPTURE(cut);
    CHECK(is_malformed(std::string_view{whole}.substr(0, cut)));
  }
}

TEST_CASE("audit: once malformed it stays so") {
  Audit audit;
  audit.row({});
  add(audit, "u", "", "alice");
  CHECK(audit.malformed());
}

TEST_CASE("audit: the client's own limit is told apart, and rows behind the answer are not its") {
  Audit audit;
  add(audit, "t", "5000", "0");
  add(audit, "s", "statement_timeout", "0");
  add(audit, "d", "", "61000");
  CHECK(audit.statement_timeout == "5000");
  CHECK(audit.statement_timeout_default == "61000");
  audit.answers = 0;
  audit.row(wire::as_bytes(row_of({"one", "more"})));
  CHECK_FALSE(audit.malformed());
  CHECK(audit.settings.size() == 1);
}
