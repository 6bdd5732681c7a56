// A TOML file as a tree of positioned values: the only face the rest of pgring sees of TOML.
//
// What:   reads TOML with toml++ (compiled into toml_document.cc alone) and keeps, for each key and
//         value, where it stands.
// Life:   owns its text; independent of the source after reading.
// Errors: syntax errors go to `errors`, as many as can be told apart: after one, the statement it
//         stands in is left out and the rest is read again. `complete` is false then, and a check
//         for something missing would lie.
// Source: toml.io/en/v1.0.0.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/diagnostic.h"

namespace pgring {

enum class TomlKind : std::uint8_t { string, integer, floating, boolean, date, array, table };

struct TomlEntry;

struct TomlNode {
  Position at;
  TomlKind kind = TomlKind::table;
  std::string text;  // string
  std::int64_t integer = 0;
  bool boolean = false;
  std::vector<TomlNode> items;     // array
  std::vector<TomlEntry> entries;  // table
};

struct TomlEntry {
  std::string key;
  Position at;
  TomlNode value;
};

struct TomlDocument {
  TomlNode root;
  bool complete = true;
};

inline constexpr std::size_t config_file_size_max = std::size_t{16} * 1024 * 1024;
inline constexpr int syntax_errors_max = 20;

[[nodiscard]] TomlDocument read_toml(const SourceText& source, Diagnostics& errors);

// "an integer", "a table": how a message names what was found.
[[nodiscard]] std::string_view describe(TomlKind kind);

// `name`, or `"name"` where TOML needs quotes.
[[nodiscard]] std::string quoted_key(std::string_view name);

}  // namespace pgring
