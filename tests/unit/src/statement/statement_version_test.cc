// What PostgreSQL says of a statement, from ParameterDescription and RowDescription.
#include <doctest/doctest.h>

#include <array>
#include <random>

#include "src/statement/statement.h"
#include "tests/unit/wire/bytes.h"
#include "wire/message_builder.h"

using namespace std::string_view_literals;
using pgring::comparable_columns;
using pgring::parse_parameter_description;
using pgring::StatementVersion;
using wire::as_bytes;

namespace {

struct Column {
  std::string_view name = "a";
  std::uint32_t table = 16384;
  std::uint16_t number = 1;
  std::uint32_t type = 23;
  std::uint16_t size = 4;
  std::uint32_t modifier = 0xffffffff;
  std::uint16_t format = 0;
};

std::string row_description(std::initializer_list<Column> columns) {
  wire::MessageBuilder builder;
  builder.begin('T');
  builder.put_u16(static_cast<std::uint16_t>(columns.size()));
  for (const Column& column : columns) {
    builder.put_cstring(column.name);
    builder.put_u32(column.table);
    builder.put_u16(column.number);
    builder.put_u32(column.type);
    builder.put_u16(column.size);
    builder.put_u32(column.modifier);
    builder.put_u16(column.format);
  }
  REQUIRE(builder.end());
  return builder.take().substr(5);
}

std::optional<std::string> columns_of(std::initializer_list<Column> columns) {
  return comparable_columns(as_bytes(row_description(columns)));
}

}  // namespace

TEST_CASE("statement version: parameter types are read, none or many") {
  CHECK(parse_parameter_description(as_bytes("\0\0"sv)) == std::vector<std::uint32_t>{});
  CHECK(parse_parameter_description(as_bytes("\0\x02\0\0\0\x17\xff\xff\xff\xff"sv)) ==
        std::vector<std::uint32_t>{23, 0xffffffff});
  std::string out;
  const std::vector<std::uint32_t> many(65'535, 20);
  wire::append_parameter_description(out, many);
  CHECK(parse_parameter_description(as_bytes(wire_test::body_of(out))) == many);
}

TEST_CASE("statement version: a ParameterDescription that is cut or too long is none") {
  constexpr auto whole = "\0\x02\0\0\0\x17\0\0\0\x19"sv;
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    CAPTURE(cut);
    CHECK_FALSE(parse_parameter_description(as_bytes(whole.substr(0, cut))).has_value());
  }
  CHECK_FALSE(parse_parameter_description(as_bytes("\0\0x"sv)).has_value());
  CHECK_FALSE(parse_parameter_description(as_bytes("\xff\xff\0\0\0\x17"sv)).has_value());
}

TEST_CASE("statement version: columns are compared by what PostgreSQL compares") {
  const auto same = columns_of({{}});
  REQUIRE(same.has_value());
  CHECK(columns_of({{}}) == same);
  // Where it comes from, and the format, are not part of it.
  CHECK(columns_of({{.table = 1}}) == same);
  CHECK(columns_of({{.number = 9}}) == same);
  CHECK(columns_of({{.format = 1}}) == same);
  // These are.
  CHECK(columns_of({{.name = "b"}}) != same);
  CHECK(columns_of({{.type = 20}}) != same);
  CHECK(columns_of({{.size = 8}}) != same);
  CHECK(columns_of({{.modifier = 7}}) != same);
  CHECK(columns_of({{}, {}}) != same);
}

TEST_CASE("statement version: neither order nor borders of columns are lost") {
  CHECK(columns_of({{.name = "a"}, {.name = "b"}}) != columns_of({{.name = "b"}, {.name = "a"}}));
  CHECK(columns_of({{.name = "ab"}, {.name = "c"}}) != columns_of({{.name = "a"}, {.name = "bc"}}));
}

TEST_CASE("statement version: rows without columns are not the same as no rows") {
  const auto none = columns_of({});
  REQUIRE(none.has_value());
  CHECK_FALSE(none->empty());
  CHECK_FALSE(StatementVersion{.types = {}, .columns = *none}.binds_alike({}));
  CHECK(StatementVersion{}.binds_alike({}));
}

TEST_CASE(
    "statement version: other types of parameters are another version, though rows are the same") {
  const StatementVersion int4{.types = {23}, .columns = {}};
  const StatementVersion int8{.types = {20}, .columns = {}};
  CHECK(int4.binds_alike(int4));
  CHECK_FALSE(int4.binds_alike(int8));
  CHECK_FALSE(int4.binds_alike({}));
}

TEST_CASE("statement version: a RowDescription that is cut or too long is none") {
  const std::string whole = row_description({{.name = "one"}, {.name = "two"}});
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    CAPTURE(cut);
    CHECK_FALSE(comparable_columns(as_bytes(std::string_view{whole}.substr(0, cut))).has_value());
  }
  CHECK(comparable_columns(as_bytes(whole)).has_value());
  CHECK_FALSE(comparable_columns(as_bytes(whole + "x")).has_value());
  CHECK_FALSE(comparable_columns(as_bytes("\xff\xff"sv)).has_value());
}

TEST_CASE("statement version: random bodies are refused or read, and both happen") {
  std::mt19937 random(5);
  int accepted = 0;
  for (int i = 0; i < 50'000; ++i) {
    const std::string body = wire_test::random_text(random, 30, "\0\0\0\0\0a\1"sv);
    if (comparable_columns(as_bytes(body))) ++accepted;
    (void)parse_parameter_description(as_bytes(body));
  }
  CHECK(accepted > 0);
  CHECK(accepted < 50'000);
}
