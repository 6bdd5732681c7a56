// Goal: tables become the bytes PostgreSQL would send, in both formats.
#include "src/console/result.h"

#include <doctest/doctest.h>

#include <array>
#include <limits>
#include <string>

using std::string_literals::operator""s;

namespace pgring::console {
namespace {

constexpr std::array<Column, 4> columns{{{"name"},
                                         {"count", ColumnType::int4},
                                         {"id", ColumnType::int8},
                                         {"total", ColumnType::numeric}}};

}  // namespace

TEST_CASE("rows: a number that is too large is shown as the largest of its column") {
  Rows rows{columns};
  rows.text("a");
  for (int i = 0; i < 3; ++i) rows.number(std::numeric_limits<std::uint64_t>::max());
  REQUIRE(rows.size() == 1);
  CHECK(rows.row(0)[1] == "2147483647");
  CHECK(rows.row(0)[2] == "9223372036854775807");
  CHECK(rows.row(0)[3] == "18446744073709551615");
}

TEST_CASE("rows: text that is not UTF-8 is shown with question marks") {
  Rows rows{columns};
  rows.text(
      "a\xff"
      "b\xc3\xa9");
  for (int i = 0; i < 3; ++i) rows.null();
  CHECK(rows.row(0)[0] == "a?b\xc3\xa9");
}

TEST_CASE("rows: a RowDescription names each column's type, size and format") {
  std::string out;
  const std::array<Column, 1> one{{{"n", ColumnType::int4}}};
  append_columns(out, one, {});
  CHECK(out == "T\0\0\0\x1a\0\1n\0\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\0"s);
  out.clear();
  const std::array formats{Format::binary};
  append_columns(out, one, formats);
  CHECK(out.back() == '\1');
}

TEST_CASE("rows: a row is sent as text unless asked otherwise") {
  Rows rows{columns};
  rows.text("pool");
  rows.number(7);
  rows.null();
  rows.number(12'345);
  std::string out;
  append_row(out, rows.columns(), rows.row(0), {});
  CHECK(out ==
        "D\0\0\0\x20\0\4\0\0\0\4pool\0\0\0\1"
        "7\xff\xff\xff\xff\0\0\0\5"
        "12345"s);
}

TEST_CASE("rows: the binary format is the one of each type") {
  Rows rows{columns};
  rows.text("p");
  rows.number(258);
  rows.number(1);
  rows.number(12'345);
  std::string out;
  const std::array formats{Format::binary};
  append_row(out, rows.columns(), rows.row(0), formats);
  CHECK(out.substr(7) ==
        "\0\0\0\1p\0\0\0\4\0\0\1\2\0\0\0\x8\0\0\0\0\0\0\0\1\0\0\0\xc\0\2\0\1\0\0\0\0\0\1\x9\x29"s);
}

TEST_CASE("rows: formats may differ from column to column") {
  Rows rows{columns};
  rows.text("p");
  rows.number(258);
  rows.number(1);
  rows.number(0);
  std::string out;
  const std::array formats{Format::text, Format::binary, Format::text, Format::text};
  append_row(out, rows.columns(), rows.row(0), formats);
  CHECK(out.substr(7) ==
        "\0\0\0\1p\0\0\0\4\0\0\1\2\0\0\0\1"
        "1\0\0\0\1"
        "0"s);
}

TEST_CASE("rows: a binary numeric has groups of four digits and no trailing zero groups") {
  // As numeric_send writes them: count of groups, weight, sign, scale, groups.
  CHECK(binary_numeric("0") == "\0\0\0\0\0\0\0\0"s);
  CHECK(binary_numeric("1") == "\0\1\0\0\0\0\0\0\0\1"s);
  CHECK(binary_numeric("9999") == "\0\1\0\0\0\0\0\0\x27\x0f"s);
  CHECK(binary_numeric("10000") == "\0\1\0\1\0\0\0\0\0\1"s);
  CHECK(binary_numeric("100000001") == "\0\3\0\2\0\0\0\0\0\1\0\0\0\1"s);
  CHECK(binary_numeric("12340000") == "\0\1\0\1\0\0\0\0\x04\xd2"s);
}

}  // namespace pgring::console
