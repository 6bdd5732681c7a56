// Goal: a text that comes again is known by its third time, and texts that come once drive nobody out.
#include "src/statement/known_texts.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <string>

#include "wire/extended_query.h"

using pgring::KnownTexts;
using pgring::ParseSeen;
using pgring::StatementKey;
using pgring::StatementTable;

namespace {

// A Parse's body behind its name.
std::string body_of(const std::string& text, const std::vector<std::uint32_t>& types) {
  std::string message;
  wire::append_parse(message, {}, text, types);
  return message.substr(5 + 1);
}

}  // namespace

TEST_CASE("known texts: counted up to the third time, and no further") {
  KnownTexts known;
  for (const int expected : {1, 2, 3, 3}) {
    const auto* const entry = known.see(7);
    REQUIRE(entry != nullptr);
    CHECK(entry->seen == expected);
  }
  known.forget(7);
  CHECK(known.see(7)->seen == 1);
}

TEST_CASE("known texts: ten thousand texts that come once do not drive out one that comes again") {
  StatementTable table;
  KnownTexts known;
  constexpr std::uint64_t often = 0x123456789abcdef0;
  for (int i = 0; i < 3; ++i) (void)known.see(often);
  known.see(often)->statement = table.intern({.text = "select 1", .types = {}, .settings = {}});
  std::uint64_t once = 1;
  for (int i = 0; i < 10'000; ++i) {
    once = once * 6364136223846793005U + 1442695040888963407U;
    (void)known.see(once);
    if (i % 100 == 0) {
      const auto* const entry = known.see(often);
      REQUIRE(entry != nullptr);
      REQUIRE(entry->statement != nullptr);
    }
  }
}

TEST_CASE("known texts: those that do not come any more make room, however often they came") {
  StatementTable table;
  KnownTexts known;
  // All in one set; the fourth byte says who gives way.
  const auto hash = [](std::uint64_t i) { return (i << 24) + 1; };
  for (std::uint64_t i = 0; i < KnownTexts::places; ++i) {
    for (int times = 0; times < 100; ++times) (void)known.see(hash(i));
    known.see(hash(i))->statement = table.intern({.text = "select 1", .types = {}, .settings = {}});
  }
  CHECK(table.size() == 1);
  for (int times = 0; times < 100; ++times) {
    for (std::uint64_t i = 12; i < 12 + KnownTexts::places; ++i) (void)known.see(hash(i));
  }
  for (std::uint64_t i = 12; i < 12 + KnownTexts::places; ++i) {
    const auto* const entry = known.see(hash(i));
    REQUIRE(entry != nullptr);
    CHECK(entry->seen == KnownTexts::shared_from);
  }
  CHECK(table.size() == 0);
}

TEST_CASE(
    "known texts: a Parse asks for a statement of its own text, types, settings and kind only") {
  const StatementKey key{
      .text = "select $1, $2", .types = {23, 0}, .settings = "x=1", .unnamed = true};
  const std::string body = body_of(key.text, key.types);
  const ParseSeen same{.text_and_types = body, .settings = "x=1", .unnamed = true};
  CHECK(same.asks_for(key));
  const auto differs = [&](const ParseSeen& other) {
    return !other.asks_for(key) && other.hash() != same.hash();
  };
  CHECK(differs({.text_and_types = body, .settings = "x=2", .unnamed = true}));
  CHECK(differs({.text_and_types = body, .settings = {}, .unnamed = true}));
  CHECK(differs({.text_and_types = body, .settings = "x=1", .unnamed = false}));
  for (const std::string& other :
       {body_of("select $1, $3", {23, 0}), body_of("select $1, $2 ", {23, 0}),
        body_of("select $1, $", {23, 0}), body_of(key.text, {23}), body_of(key.text, {23, 20}),
        body_of(key.text, {0, 23}), body_of(key.text, {23, 0, 0}), body_of(key.text, {}),
        body.substr(0, body.size() - 1), body + "x", std::string{}})
    CHECK(differs({.text_and_types = other, .settings = "x=1", .unnamed = true}));
}
