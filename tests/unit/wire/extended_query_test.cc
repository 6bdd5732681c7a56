#include "wire/extended_query.h"

#include <doctest/doctest.h>

#include <array>
#include <random>

#include "tests/unit/wire/bytes.h"
#include "wire/message_builder.h"

using namespace std::string_view_literals;
using wire::as_bytes;

namespace {

// Ends in the middle of anything it has: no prefix of a well-formed message is one itself.
template <class Read>
void check_cuts(std::string_view whole, Read&& read) {
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    CAPTURE(cut);
    CHECK_FALSE(read(as_bytes(whole.substr(0, cut))).has_value());
  }
  CHECK(read(as_bytes(whole)).has_value());
}

}  // namespace

TEST_CASE("extended query: a Parse is read with its name, text and types") {
  const auto parse =
      wire::read_parse(as_bytes("s1\0select $1, $2\0\0\x02\0\0\0\x17\xff\xff\xff\xfe"sv));
  REQUIRE(parse.has_value());
  CHECK(parse->name == "s1");
  CHECK(parse->text == "select $1, $2");
  CHECK(parse->types == std::vector<std::uint32_t>{23, 0xfffffffe});

  const auto empty = wire::read_parse(as_bytes("\0\0\0\0"sv));
  REQUIRE(empty.has_value());
  CHECK(empty->name.empty());
  CHECK(empty->text.empty());
  CHECK(empty->types.empty());
}

TEST_CASE("extended query: the unnamed Parse is read without its name") {
  const auto parse = wire::read_unnamed_parse(as_bytes("select 1\0\0\x01\0\0\0\x19"sv));
  REQUIRE(parse.has_value());
  CHECK(parse->name.empty());
  CHECK(parse->text == "select 1");
  CHECK(parse->types == std::vector<std::uint32_t>{25});
}

TEST_CASE("extended query: a Parse that is cut, too long or short of its types is not read") {
  check_cuts("s\0select\0\0\x02\0\0\0\x01\0\0\0\x02"sv, wire::read_parse);
  check_cuts("select\0\0\x01\0\0\0\x01"sv, wire::read_unnamed_parse);
  const std::array bodies{
      "s\0t\0\0\0x"sv,                       // a byte behind the end
      "s\0t\0\0\x01\0\0\0\x17\0"sv,          // likewise, behind the types
      "s\0t\0\0\x01"sv,                      // a type that is not there
      "s\0t\0\xff\xff\0\0\0\x17"sv,          // 65535 of which one is there
      "s\0t\0\0\x01\0\0\0\x17\0\0\0\x17"sv,  // more than were announced
      "s"sv,
      "s\0t"sv,
  };
  for (const auto body : bodies) {
    CAPTURE(body);
    CHECK_FALSE(wire::read_parse(as_bytes(body)).has_value());
  }
}

TEST_CASE("extended query: of a Bind the names are read, whatever follows") {
  const auto bind = wire::read_bind_names(as_bytes("portal\0stmt\0\0\x01\0\x01 and so on"sv));
  REQUIRE(bind.has_value());
  CHECK(bind->portal == "portal");
  CHECK(bind->statement == "stmt");
  CHECK(bind->size == 12);
  const auto unnamed = wire::read_bind_names(as_bytes("\0\0"sv));
  REQUIRE(unnamed.has_value());
  CHECK(unnamed->portal.empty());
  CHECK(unnamed->statement.empty());
  CHECK(unnamed->size == 2);
  check_cuts("portal\0stmt\0"sv, wire::read_bind_names);
}

TEST_CASE("extended query: Describe and Close name a statement or a portal") {
  const auto target = wire::read_target(as_bytes("Sname\0"sv));
  REQUIRE(target.has_value());
  CHECK(target->kind == 'S');
  CHECK(target->name == "name");
  REQUIRE(wire::read_target(as_bytes("P\0"sv)).has_value());
  CHECK(wire::read_target(as_bytes("P\0"sv))->name.empty());
  // What the kind means is for PostgreSQL to say.
  CHECK(wire::read_target(as_bytes("\0\0"sv)).has_value());
  CHECK_FALSE(wire::read_target(as_bytes("Sname\0x"sv)).has_value());
  CHECK_FALSE(wire::read_target(as_bytes("\0"sv)).has_value());
  check_cuts("Sname\0"sv, wire::read_target);
}

TEST_CASE("extended query: random bodies are refused or read, and both happen") {
  std::mt19937 random(7);
  int parses = 0;
  int binds = 0;
  int targets = 0;
  constexpr int rounds = 50'000;
  for (int i = 0; i < rounds; ++i) {
    const std::string body = wire_test::random_text(random, 14, "S\0\0\0\1"sv);
    if (const auto parse = wire::read_parse(as_bytes(body))) {
      ++parses;
      CHECK(parse->name.size() + parse->text.size() + 4 + parse->types.size() * 4 == body.size());
    }
    if (const auto bind = wire::read_bind_names(as_bytes(body))) {
      ++binds;
      CHECK(bind->size == bind->portal.size() + bind->statement.size() + 2);
      CHECK(bind->size <= body.size());
    }
    if (const auto target = wire::read_target(as_bytes(body))) {
      ++targets;
      CHECK(target->name.size() + 2 == body.size());
    }
  }
  for (const int accepted : {parses, binds, targets}) {
    CHECK(accepted > 0);
    CHECK(accepted < rounds);
  }
}

TEST_CASE("extended query: messages are laid out as documented") {
  std::string out = "old";
  constexpr std::array<std::uint32_t, 2> types{23, 0};
  wire::append_parse(out, "s", "select $1", types);
  wire::append_bind(out, "p", "s");
  wire::append_describe(out, {.kind = 'S', .name = "s"});
  wire::append_close(out, {.kind = 'P', .name = {}});
  wire::append_flush(out);
  CHECK(out ==
        "oldP\0\0\0\x1as\0select $1\0\0\x02\0\0\0\x17\0\0\0\0"
        "B\0\0\0\x0ep\0s\0\0\0\0\0\0\0"
        "D\0\0\0\x07Ss\0"
        "C\0\0\0\x06P\0"
        "H\0\0\0\x04"sv);
}

TEST_CASE("extended query: what is written is read back") {
  std::string out;
  constexpr std::array<std::uint32_t, 3> types{0, 1, 0xffffffff};
  wire::append_parse(out, "a name", "a text", types);
  const auto parse = wire::read_parse(as_bytes(wire_test::body_of(out)));
  REQUIRE(parse.has_value());
  CHECK(parse->name == "a name");
  CHECK(parse->text == "a text");
  CHECK(parse->types == std::vector<std::uint32_t>(types.begin(), types.end()));
  out.clear();
  wire::append_close(out, {.kind = 'S', .name = "c"});
  REQUIRE(wire::read_target(as_bytes(wire_test::body_of(out))).has_value());
  CHECK(wire::read_target(as_bytes(wire_test::body_of(out)))->name == "c");
}

TEST_CASE("extended query: a Bind with another name is the Bind that had it from the start") {
  // Method: the names of a whole message are replaced, and the rest of its body put behind.
  const auto bind = [](std::string_view portal, std::string_view statement, std::string_view rest) {
    wire::MessageBuilder builder;
    builder.begin('B');
    builder.put_cstring(portal);
    builder.put_cstring(statement);
    builder.put_bytes(rest);
    REQUIRE(builder.end());
    return builder.take();
  };
  const std::string long_name(300, 'n');
  const std::string long_rest(70'000, 'r');
  const std::array<std::string_view, 4> names{"", "s", "pgring_12345678901234567890", long_name};
  for (const std::string_view portal : {""sv, "p"sv}) {
    for (const std::string_view rest : {""sv, "\0\0\0\0\0\0"sv, std::string_view{long_rest}}) {
      for (const std::string_view before : names) {
        for (const std::string_view after : names) {
          const std::string message = bind(portal, before, rest);
          const auto read = wire::read_bind_names(as_bytes(wire_test::body_of(message)));
          REQUIRE(read.has_value());
          std::string out = "old";
          wire::append_bind_beginning(out, read->portal, after, message.size(), read->size);
          out += message.substr(5 + read->size);
          CHECK(out == "old" + bind(portal, after, rest));
        }
      }
    }
  }
}

TEST_CASE("extended query: the length of a Bind fills all its four bytes") {
  // The largest that PostgreSQL takes, of which only the beginning is there.
  std::string out;
  wire::append_bind_beginning(out, "", "ab", 0x3fffffff, 2);
  CHECK(out == "B\x40\0\0\0\0ab\0"sv);
  out.clear();
  wire::append_bind_beginning(out, "", "", 0x3fffffff, 4);
  CHECK(out == "B\x3f\xff\xff\xfc\0\0"sv);
}
