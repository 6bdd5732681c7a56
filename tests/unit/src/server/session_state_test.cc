#include "src/server/session_state.h"

#include <doctest/doctest.h>

#include <bit>
#include <set>
#include <string>
#include <string_view>

using pgring::state_advice;
using wire::SqlTrait;

namespace {

std::string_view advised(std::string_view sql) {
  return state_advice(wire::sql_traits(sql).bits & (pgring::touches_pins | pgring::touches_forever))
      .what;
}

}  // namespace

TEST_CASE("session state: the advice is for what the text does") {
  CHECK(advised("select pg_advisory_lock(1)") == "a session-level advisory lock");
  CHECK(advised("create temp table t (a int)") == "a temporary object");
  CHECK(advised("declare c cursor with hold for select 1") == "a cursor WITH HOLD");
  CHECK(advised("listen a") == "LISTEN");
  CHECK(advised("prepare a as select 1") == "PREPARE");
  CHECK(advised("load 'x'") == "LOAD");
  CHECK(advised("select setseed(0.5)") == "state of the session");
}

TEST_CASE("session state: everything that pins has advice of its own, which says what to do") {
  std::set<std::string_view> seen;
  const std::uint32_t all = pgring::touches_pins | pgring::touches_forever;
  for (std::uint32_t bit = 1; bit != 0; bit <<= 1) {
    if ((all & bit) == 0) continue;
    CAPTURE(bit);
    const auto advice = state_advice(bit);
    CHECK(seen.insert(advice.what).second);
    CHECK(advice.instead.ends_with('.'));
    CHECK(advice.instead.find("on_session_state = \"pin\"") != std::string_view::npos);
  }
  CHECK(seen.size() == static_cast<std::size_t>(std::popcount(all)));
}

TEST_CASE("session state: of several the first is named, and of none the general one") {
  CHECK(state_advice(SqlTrait::listen | SqlTrait::advisory_lock).what ==
        "a session-level advisory lock");
  CHECK(state_advice(SqlTrait::load | SqlTrait::prepare).what == "PREPARE");
  CHECK(state_advice(0).what == "state of the session");
}

TEST_CASE("session state: what pins is also what is asked for, unless nothing shows it") {
  CHECK((pgring::touches_state & pgring::touches_pins) == pgring::touches_pins);
  CHECK((pgring::touches_state & pgring::touches_forever) == 0);
  CHECK((pgring::touches_pins & pgring::touches_forever) == 0);
  // No trait of a text is mistaken for what was not read.
  CHECK((pgring::unseen_text & static_cast<std::uint32_t>(SqlTrait::drop)) == 0);
  // DISCARD and DO may take state away as well as make it.
  constexpr std::uint32_t not_shown =
      pgring::unseen_text | pgring::unproven_text | pgring::suspect_text;
  CHECK((pgring::may_unpin & pgring::touches_state & ~not_shown &
         ~static_cast<std::uint32_t>(wire::SqlTrait::settings)) == 0);
  CHECK((not_shown &
         (pgring::plain_set_text | (static_cast<std::uint32_t>(SqlTrait::drop) * 2 - 1))) == 0);
  // Nothing is asked after what tells all there is to know.
  CHECK((pgring::plain_set_text & (pgring::touches_state | pgring::may_unpin)) == 0);
}
