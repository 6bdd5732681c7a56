// Diagnostics: what is wrong in a file of the operator, where, and how to put it right.
//
// What:   SourceText keeps a file's text and finds lines; Diagnostic is one error or warning of it;
//         to_string prints "file:line:column: error: …", the source line, a caret and a hint.
// Units:  lines and columns start at 1; columns count characters (code points), as editors do.
// Life:   a Diagnostic owns all its text; SourceText borrows `text` for its lifetime.
// Errors: none. A line that names a password is shown without its value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pgring {

struct Position {
  std::uint32_t line = 0;    // 0: the file as a whole
  std::uint32_t column = 0;  // 0: the line as a whole
  friend constexpr auto operator<=>(Position, Position) = default;
};

enum class Severity : std::uint8_t { error, warning };

struct Diagnostic {
  Severity severity = Severity::error;
  std::string file;
  Position at;
  std::string key;          // "database.app.pool_size"; empty where no key is concerned
  std::string message;      // what was found and what was expected
  std::string hint;         // the fix or the near match; may be empty
  std::string source_line;  // printable, secrets masked; empty: nothing to show
};
using Diagnostics = std::vector<Diagnostic>;

[[nodiscard]] std::string to_string(const Diagnostic& diagnostic);

class SourceText {
 public:
  SourceText(std::string_view file, std::string_view text);

  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] std::string_view text() const { return text_; }
  [[nodiscard]] std::uint32_t line_count() const;
  // Without its line end. REQUIRES: 1 <= number <= line_count().
  [[nodiscard]] std::string_view line(std::uint32_t number) const;
  // Where line `number` begins in text(). REQUIRES as line().
  [[nodiscard]] std::size_t line_start(std::uint32_t number) const;
  [[nodiscard]] Position position_of(std::size_t offset) const;

  // A diagnostic with the source line filled in.
  [[nodiscard]] Diagnostic at(Severity severity, Position at, std::string key, std::string message,
                              std::string hint) const;

 private:
  std::string file_;
  std::string_view text_;
  std::vector<std::size_t> line_starts_;
};

// `line` as a terminal can show it: one column for each character, no control characters, not endless.
[[nodiscard]] std::string printable(std::string_view line);

// True when a value on this line must not be shown.
[[nodiscard]] bool names_a_secret(std::string_view line);

}  // namespace pgring
