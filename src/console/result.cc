#include "src/console/result.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "src/base/check.h"
#include "wire/message_builder.h"
#include "wire/message_type.h"

namespace pgring::console {
namespace {

struct TypeInfo {
  std::uint32_t oid;  // src/include/catalog/pg_type.dat
  std::int16_t size;  // -1: variable
};

TypeInfo info_of(ColumnType type) {
  switch (type) {
    case ColumnType::text:
      return {25, -1};
    case ColumnType::int4:
      return {23, 4};
    case ColumnType::int8:
      return {20, 8};
    case ColumnType::numeric:
      return {1700, -1};
  }
  POOLER_UNREACHABLE();
}

Format format_of(Formats formats, std::size_t column) {
  if (formats.empty()) return Format::text;
  return formats.size() == 1 ? formats.front() : formats[column];
}

void append_big_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
    out.push_back(static_cast<char>((value >> shift) & 0xff));
}

std::string binary(ColumnType type, std::string_view text) {
  switch (type) {
    case ColumnType::text:
      return std::string{text};
    case ColumnType::numeric:
      return binary_numeric(text);
    case ColumnType::int4:
    case ColumnType::int8: {
      std::uint64_t value = 0;
      const auto end = text.data() + text.size();
      POOLER_CHECK(std::from_chars(text.data(), end, value).ptr == end);
      std::string bytes;
      append_big_endian(bytes, value, info_of(type).size);
      return bytes;
    }
  }
  POOLER_UNREACHABLE();
}

}  // namespace

void Rows::number(std::uint64_t value) {
  const ColumnType type = columns_[cells_.size() % columns_.size()].type;
  if (type == ColumnType::int4)
    value = std::min<std::uint64_t>(value, std::numeric_limits<std::int32_t>::max());
  if (type == ColumnType::int8)
    value = std::min<std::uint64_t>(value, std::numeric_limits<std::int64_t>::max());
  cells_.emplace_back(std::to_string(value));
}

std::span<const Rows::Cell> Rows::row(std::size_t index) const {
  POOLER_CHECK(cells_.size() % columns_.size() == 0 && index < size());
  return std::span{cells_}.subspan(index * columns_.size(), columns_.size());
}

void append_columns(std::string& out, Columns columns, Formats formats) {
  wire::MessageBuilder builder{std::move(out)};
  builder.begin(wire::backend::RowDescription);
  builder.put_u16(static_cast<std::uint16_t>(columns.size()));
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const auto info = info_of(columns[i].type);
    builder.put_cstring(columns[i].name);
    builder.put_u32(0);  // of no table
    builder.put_u16(0);
    builder.put_u32(info.oid);
    builder.put_u16(static_cast<std::uint16_t>(info.size));
    builder.put_u32(0xffffffffU);  // no type modifier
    builder.put_u16(static_cast<std::uint16_t>(format_of(formats, i)));
  }
  POOLER_CHECK(builder.end());
  out = builder.take();
}

void append_row(std::string& out, Columns columns, std::span<const Rows::Cell> row,
                Formats formats) {
  wire::MessageBuilder builder{std::move(out)};
  builder.begin(wire::backend::DataRow);
  builder.put_u16(static_cast<std::uint16_t>(row.size()));
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (!row[i]) {
      builder.put_u32(0xffffffffU);
      continue;
    }
    const bool as_text = format_of(formats, i) == Format::text;
    const std::string converted = as_text ? std::string{} : binary(columns[i].type, *row[i]);
    const std::string_view value =
        as_text ? std::string_view{*row[i]} : std::string_view{converted};
    builder.put_u32(static_cast<std::uint32_t>(value.size()));
    builder.put_bytes(value);
  }
  POOLER_CHECK(builder.end());
  out = builder.take();
}

// Groups of four digits, base 10000, without trailing zero groups; the weight is the first group's
// power.
std::string binary_numeric(std::string_view digits) {
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), digits.size()));
  std::vector<std::uint16_t> groups;
  std::size_t taken = 0;
  while (taken < digits.size()) {
    const std::size_t length = (digits.size() - taken - 1) % 4 + 1;
    std::uint16_t group = 0;
    for (const char digit : digits.substr(taken, length))
      group = static_cast<std::uint16_t>(group * 10 + (digit - '0'));
    groups.push_back(group);
    taken += length;
  }
  const std::size_t weight = groups.empty() ? 0 : groups.size() - 1;
  while (!groups.empty() && groups.back() == 0) groups.pop_back();
  std::string bytes;
  append_big_endian(bytes, groups.size(), 2);
  append_big_endian(bytes, weight, 2);
  append_big_endian(bytes, 0, 2);  // positive
  append_big_endian(bytes, 0, 2);  // digits behind the point
  for (const std::uint16_t group : groups) append_big_endian(bytes, group, 2);
  return bytes;
}

}  // namespace pgring::console
