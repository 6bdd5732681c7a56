#include "src/server/state_left.h"

#include <doctest/doctest.h>

#include "src/server/ran_texts.h"

using pgring::changed_settings;
using pgring::ParameterList;
using pgring::PinReason;
using pgring::PinReasons;
using pgring::RanTexts;
using pgring::StateLeft;
using pgring::surely_differs;
using Names = std::vector<std::string>;

TEST_CASE("state left: a value that may be spelled otherwise is not another") {
  CHECK(surely_differs("6144", "6145"));
  CHECK(surely_differs("postgres", "iso_8601"));
  CHECK(surely_differs("a", ""));
  CHECK_FALSE(surely_differs("a", "a"));
  CHECK_FALSE(surely_differs("6MB", "6144"));
  CHECK_FALSE(surely_differs("1.5", "1.50"));
  CHECK_FALSE(surely_differs("yes", "on"));
  CHECK_FALSE(surely_differs("utf8", "UTF-8"));
  CHECK(surely_differs("on", "off"));
  CHECK(surely_differs("true", "off"));
}

TEST_CASE("state left: settings that are new, gone or other") {
  const ParameterList before{{"a", "1"}, {"b", "2"}, {"c", "x"}};
  const ParameterList now{{"b", "2"}, {"C", "y"}, {"d", "4"}};
  CHECK(changed_settings(before, now) == Names{"C", "d", "a"});
  CHECK(changed_settings(before, before).empty());
}

TEST_CASE("state left: names only, for the log") {
  StateLeft left;
  CHECK(left.empty());
  CHECK(left.text().empty());
  left.pins = PinReasons{PinReason::listen};
  CHECK(left.text() == "LISTEN");
  left.settings = {"work_mem", "my.x"};
  CHECK(left.text() == "work_mem, my.x, LISTEN");
  CHECK_FALSE(left.empty());
}

TEST_CASE("ran texts: each once, and what came too late is counted") {
  RanTexts ran;
  CHECK(ran.empty());
  for (std::uint64_t text = 1; text <= RanTexts::kept_max + 3; ++text) {
    ran.add(text);
    ran.add(1);
  }
  CHECK(ran.texts().size() == RanTexts::kept_max);
  CHECK(ran.texts().back() == RanTexts::kept_max);
  CHECK(ran.more() == 3);
  ran.clear();
  CHECK(ran.empty());
  ran.add_unknown();
  CHECK_FALSE(ran.empty());
  CHECK(ran.texts().empty());
}
