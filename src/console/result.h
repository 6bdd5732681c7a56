// The answer to one command: rows, and how they become messages.
//
// What:   Rows is a table filled cell by cell; the append_… functions write its RowDescription and
//         DataRows, in text or in PostgreSQL's binary format (Npgsql asks for nothing else).
// Life:   Rows owns its cells; columns are static.
// Units:  numbers that do not fit their column's type are shown as its largest.
// Errors: none; a row with too few cells is our bug and aborts.
// Source: protocol-message-formats; src/backend/utils/adt/numeric.c (numeric_send).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/utf8.h"

namespace pgring::console {

enum class ColumnType : std::uint8_t { text, int4, int8, numeric };

struct Column {
  std::string_view name;
  ColumnType type = ColumnType::text;
};
using Columns = std::span<const Column>;

class Rows {
 public:
  explicit Rows(Columns columns) : columns_{columns} {}

  // The next cell of the present row, from left to right; the next row begins by itself.
  // Text may be a client's own; drivers cannot decode what is not UTF-8.
  void text(std::string_view value) { cells_.emplace_back(readable_utf8(value)); }
  void null() { cells_.emplace_back(); }
  void number(std::uint64_t value);
  void yes_no(bool value) { text(value ? "yes" : "no"); }

  [[nodiscard]] Columns columns() const { return columns_; }
  [[nodiscard]] std::size_t size() const { return cells_.size() / columns_.size(); }
  using Cell = std::optional<std::string>;
  [[nodiscard]] std::span<const Cell> row(std::size_t index) const;

 private:
  Columns columns_;
  std::vector<Cell> cells_;
};

// The formats a Bind asks for: none is text for all, one is for all, else one for each column.
enum class Format : std::uint16_t { text = 0, binary = 1 };
using Formats = std::span<const Format>;

void append_columns(std::string& out, Columns columns, Formats formats);
void append_row(std::string& out, Columns columns, std::span<const Rows::Cell> row,
                Formats formats);

// Exposed for tests: a decimal number without sign as numeric_send writes it.
[[nodiscard]] std::string binary_numeric(std::string_view digits);

}  // namespace pgring::console
