#include "src/config/toml_document.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "src/base/check.h"
#include "src/base/utf8.h"

// toml++ is compiled here only, without exceptions. The packaged flags ask for its shared library,
// which was built with exceptions and so lacks the symbols we need.
#undef TOML_SHARED_LIB
#undef TOML_HEADER_ONLY
#undef TOML_EXCEPTIONS
#define TOML_SHARED_LIB 0
#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
// Two defects of toml++ 3.3 and 3.4 that an operator's file can reach (config_nasty_test.cc holds
// both): it asserts that a table header's name begins with an ASCII key character, before the code
// that reports the error ("[é]" aborts); and for a character such as "é" outside of texts its test
// for blanks runs into __builtin_unreachable, where "false" is meant. So: no assertions, that test
// with its macro set right, and an abort for every other "unreachable". 3.4 has headers in .hpp.
#undef NDEBUG
#define TOML_ASSERT(condition) static_assert(true)
#if __has_include(<toml++/impl/unicode.hpp>)
#include <toml++/impl/forward_declarations.hpp>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE return false
#include <toml++/impl/unicode.hpp>
#else
#include <toml++/impl/forward_declarations.h>
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE return false
#include <toml++/impl/unicode.h>
#endif
#undef TOML_UNREACHABLE
#define TOML_UNREACHABLE POOLER_UNREACHABLE()
#include <toml++/toml.h>

namespace pgring {
namespace {

// How far before an error the statement it belongs to is looked for (arrays over many lines).
constexpr std::uint32_t statement_lines_max = 64;

Position position(const toml::source_region& region) {
  return {region.begin.line, region.begin.column};
}

TomlNode convert(const toml::node& node) {
  TomlNode result;
  result.at = position(node.source());
  switch (node.type()) {
    case toml::node_type::table:
      result.kind = TomlKind::table;
      for (const auto& [key, value] : *node.as_table()) {
        result.entries.push_back({std::string(key.str()), position(key.source()), convert(value)});
      }
      std::sort(result.entries.begin(), result.entries.end(),
                [](const TomlEntry& a, const TomlEntry& b) { return a.at < b.at; });
      return result;
    case toml::node_type::array:
      result.kind = TomlKind::array;
      for (const toml::node& item : *node.as_array()) result.items.push_back(convert(item));
      return result;
    case toml::node_type::string:
      result.kind = TomlKind::string;
      result.text = node.as_string()->get();
      return result;
    case toml::node_type::integer:
      result.kind = TomlKind::integer;
      result.integer = node.as_integer()->get();
      return result;
    case toml::node_type::floating_point:
      result.kind = TomlKind::floating;
      return result;
    case toml::node_type::boolean:
      result.kind = TomlKind::boolean;
      result.boolean = node.as_boolean()->get();
      return result;
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      result.kind = TomlKind::date;
      return result;
    case toml::node_type::none:
      break;
  }
  POOLER_UNREACHABLE();
}

std::string_view trim_left(std::string_view line) {
  const std::size_t start = line.find_first_not_of(" \t");
  return start == std::string_view::npos ? std::string_view{} : line.substr(start);
}

bool is_header(std::string_view line) { return trim_left(line).starts_with('['); }

// `key = …`: where a new statement begins, as far as one line can tell.
bool begins_statement(std::string_view line) {
  if (is_header(line)) return true;
  const std::string_view trimmed = trim_left(line);
  const std::size_t end = trimmed.find_first_not_of(
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.");
  if (end == 0 || end == std::string_view::npos) return false;
  return trim_left(trimmed.substr(end)).starts_with('=');
}

struct LineRange {
  std::uint32_t first;
  std::uint32_t last;
};

// The parser that goes on after an error: keeps a copy in which faulty statements are blanked, so
// that all positions stay as they are in the file.
class Recovery {
 public:
  Recovery(const SourceText& source, Diagnostics& errors)
      : source_(source), text_(source.text()), errors_(errors) {}

  TomlDocument read() {
    for (int round = 0; round < syntax_errors_max; ++round) {
      const auto result = toml::parse(std::string_view(text_));
      if (result) return {convert(result.table()), round == 0};
      const toml::parse_error& error = result.error();
      const LineRange statement = statement_of(error.source().begin.line);
      report(error, statement);
      if (!blank(statement)) break;
    }
    return {TomlNode{}, false};
  }

 private:
  LineRange statement_of(std::uint32_t error_line) {
    const std::uint32_t last = std::clamp(error_line, 1U, source_.line_count());
    const std::uint32_t lowest = last > statement_lines_max ? last - statement_lines_max : 1;
    std::uint32_t first = last;
    while (first > lowest && !parses_before(first)) --first;
    if (!parses_before(first)) first = last;
    if (is_header(source_.line(first))) return {first, section_end(first)};
    // The value broke off and the next statement was read as part of it: that one is sound.
    const bool next_is_sound = last > first && begins_statement(source_.line(last));
    return {first, next_is_sound ? last - 1 : last};
  }

  bool parses_before(std::uint32_t line) {
    const auto before = std::string_view(text_).substr(0, source_.line_start(line));
    return static_cast<bool>(toml::parse(before));
  }

  // Without its header the keys of a section would be blamed on the section before.
  std::uint32_t section_end(std::uint32_t header) {
    std::uint32_t last = header;
    while (last < source_.line_count() && !is_header(source_.line(last + 1))) ++last;
    return last;
  }

  // False if there was nothing left to blank: the same error would come again.
  bool blank(LineRange lines) {
    bool changed = false;
    for (std::uint32_t number = lines.first; number <= lines.last; ++number) {
      const std::size_t start = source_.line_start(number);
      for (std::size_t i = start; i < start + source_.line(number).size(); ++i) {
        changed = changed || text_[i] != ' ';
        text_[i] = ' ';
      }
    }
    return changed;
  }

  void report(const toml::parse_error& error, LineRange statement) {
    Position at = position(error.source());
    at.line = std::clamp(at.line, 1U, source_.line_count());
    bool is_secret = false;
    for (std::uint32_t n = statement.first; n <= statement.last && n <= at.line; ++n) {
      is_secret = is_secret || names_a_secret(source_.line(n));
    }
    std::string message(error.description());
    constexpr std::string_view prefix = "Error while parsing ";
    if (message.starts_with(prefix)) message = "TOML " + message.substr(prefix.size());
    if (is_secret) message = "TOML syntax error in a value that may be secret";
    std::string hint = statement.first < at.line
                           ? fmt::format("the statement begins on line {}", statement.first)
                           : value_hint(source_.line(at.line));
    Diagnostic d = source_.at(Severity::error, at, {}, std::move(message), std::move(hint));
    if (is_secret && !names_a_secret(source_.line(at.line))) d.source_line = "***";
    errors_.push_back(std::move(d));
  }

  // An unquoted word or number with a unit is the most common slip.
  static std::string value_hint(std::string_view line) {
    if (names_a_secret(line)) return "text is written in double quotes";
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) return {};
    std::string_view value = trim_left(line.substr(equals + 1));
    value = value.substr(0, value.find_first_of(" \t#"));
    if (value.empty() || value.find_first_of("\"'[]{},") != std::string_view::npos) return {};
    return fmt::format("text, durations and sizes are written in double quotes: \"{}\"", value);
  }

  const SourceText& source_;
  std::string text_;
  Diagnostics& errors_;
};

// toml++ reports bad encoding a few characters late, so it is looked for first.
std::optional<std::size_t> find_bad_byte(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0 || text[i] == '\0') return i;
    i += length;
  }
  return std::nullopt;
}

}  // namespace

TomlDocument read_toml(const SourceText& source, Diagnostics& errors) {
  if (const auto bad = find_bad_byte(source.text())) {
    const bool is_zero = source.text()[*bad] == '\0';
    errors.push_back(
        source.at(Severity::error, source.position_of(*bad), {},
                  is_zero ? "a zero byte is not text" : "the file is not valid UTF-8 here", {}));
    return {TomlNode{}, false};
  }
  return Recovery(source, errors).read();
}

std::string_view describe(TomlKind kind) {
  switch (kind) {
    case TomlKind::string:
      return "a string";
    case TomlKind::integer:
      return "an integer";
    case TomlKind::floating:
      return "a fraction";
    case TomlKind::boolean:
      return "a boolean";
    case TomlKind::date:
      return "a date or time";
    case TomlKind::array:
      return "an array";
    case TomlKind::table:
      return "a table";
  }
  POOLER_UNREACHABLE();
}

std::string quoted_key(std::string_view name) {
  const bool is_bare =
      !name.empty() &&
      name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") ==
          std::string_view::npos;
  if (is_bare) return std::string(name);
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  }
  return quoted + '"';
}

}  // namespace pgring
