// Goal: docs/operations.md names everything the console can say, so that nobody meets an unknown word at 3 a.m.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "src/budget/reason.h"
#include "src/console/command.h"
#include "src/server/pin_reason.h"

namespace pgring::console {
namespace {

std::string operations() {
  std::ifstream file(PGRING_SOURCE_ROOT "/docs/operations.md");
  REQUIRE(file.is_open());
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// The words of the help's lines that begin with `verb`, cut at blanks, tabs and bars.
std::vector<std::string> words_after(std::string_view verb) {
  std::vector<std::string> words;
  const std::string_view text = help_text();
  for (std::size_t at = 0; (at = text.find(verb, at)) != std::string_view::npos;) {
    at += verb.size();
    const auto line = text.substr(at, text.find('\n', at) - at);
    for (std::size_t begin = 0; begin < line.size();) {
      const auto end = std::min(line.find('|', begin), line.size());
      words.emplace_back(line.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return words;
}

}  // namespace

TEST_CASE("operations.md: every SHOW of the help is explained") {
  const std::string document = operations();
  const auto topics = words_after("\tSHOW ");
  REQUIRE(topics.size() >= 18);
  for (const auto& topic : topics) {
    CAPTURE(topic);
    // Those of one row of the table follow the first without their SHOW.
    CHECK((document.find("`SHOW " + topic + "`") != std::string::npos ||
           document.find("`" + topic + "`") != std::string::npos));
  }
}

TEST_CASE("operations.md: every reason a client may wait for is explained") {
  const std::string document = operations();
  for (int value = 1; value <= static_cast<int>(Reason::hysteresis); ++value) {
    const std::string_view name = name_of(static_cast<Reason>(value));
    CAPTURE(name);
    CHECK(document.find("\n| `" + std::string{name} + "` | ") != std::string::npos);
  }
  CHECK(document.find("\n| `paused` | ") != std::string::npos);
}

TEST_CASE("operations.md: every reason a client may be pinned for is explained") {
  const std::string document = operations();
  for (std::size_t i = 0; i < pin_reason_count; ++i) {
    const std::string_view name = name_of(static_cast<PinReason>(i));
    CAPTURE(name);
    CHECK(document.find("\n| `" + std::string{name} + "` | ") != std::string::npos);
  }
}

}  // namespace pgring::console
