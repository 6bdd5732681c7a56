// Goal: the reasons of pins are one set of names, for what PostgreSQL answers and for what is shown.
#include "src/server/pin_reason.h"

#include <doctest/doctest.h>

#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/server/server_audit.h"

namespace pgring {
namespace {

// A DataRow's body.
std::string row_of(const std::vector<std::string_view>& columns) {
  std::string body{'\0', static_cast<char>(columns.size())};
  for (const std::string_view column : columns) {
    for (int shift = 24; shift >= 0; shift -= 8)
      body += static_cast<char>((column.size() >> shift) & 0xff);
    body += column;
  }
  return body;
}

void add(Audit& audit, const std::vector<std::string_view>& columns) {
  const std::string body = row_of(columns);
  audit.row(std::as_bytes(std::span{body}));
}

}  // namespace

TEST_CASE("pin reasons: each has a name of its own by which it is found again") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < pin_reason_count; ++i) {
    const auto reason = static_cast<PinReason>(i);
    const std::string_view name = name_of(reason);
    CAPTURE(name);
    CHECK(pin_reason(name) == reason);
    CHECK(names.insert(name).second);
    // It stands in SQL as it is.
    CHECK_FALSE(name.empty());
    CHECK(name.find_first_of("'\\") == std::string_view::npos);
  }
  CHECK_FALSE(pin_reason("a whim").has_value());
  CHECK_FALSE(pin_reason("").has_value());
}

TEST_CASE("pin reasons: a set has what was put into it, by name in a fixed order") {
  PinReasons reasons;
  CHECK(reasons.empty());
  CHECK(reasons.text().empty());
  reasons.put(PinReason::listen);
  reasons.put(PinReason::advisory_lock);
  CHECK(reasons == PinReasons{PinReason::advisory_lock, PinReason::listen});
  CHECK(reasons.has(PinReason::listen));
  CHECK_FALSE(reasons.has(PinReason::held_cursor));
  CHECK(reasons.text() == "advisory lock, LISTEN");
  CHECK(reasons.without({PinReason::listen, PinReason::forever}) ==
        PinReasons{PinReason::advisory_lock});
  reasons.clear();
  CHECK(reasons.empty());
}

TEST_CASE("pin reasons: a pin with two reasons counts for both") {
  PinCounts counts;
  counts.pins = 1;
  counts.add({PinReason::listen, PinReason::forever});
  PinCounts sum = counts;
  sum += counts;
  CHECK(sum.pins == 2);
  CHECK(sum.of(PinReason::listen) == 2);
  CHECK(sum.of(PinReason::forever) == 2);
  CHECK(sum.of(PinReason::advisory_lock) == 0);
}

TEST_CASE("audit: its rows become settings, the session's user and reasons to pin") {
  Audit audit;
  add(audit, {"s", "work_mem", "1MB"});
  add(audit, {"u", "", "app"});
  add(audit, {"p", "LISTEN", ""});
  add(audit, {"p", "temporary object", ""});
  CHECK_FALSE(audit.malformed());
  REQUIRE(audit.settings.size() == 1);
  CHECK(audit.settings.front().value == "1MB");
  CHECK(audit.session_user == "app");
  CHECK(audit.pins == PinReasons{PinReason::temporary_object, PinReason::listen});
}

TEST_CASE("audit: a row it does not know spoils it, so that nothing is taken for clean") {
  const std::vector<std::vector<std::string_view>> rows{
      {"p", "a whim", ""}, {"x", "LISTEN", ""}, {"", "LISTEN", ""}, {"p", "LISTEN"}};
  for (const auto& columns : rows) {
    Audit audit;
    add(audit, columns);
    CHECK(audit.malformed());
  }
}

}  // namespace pgring
