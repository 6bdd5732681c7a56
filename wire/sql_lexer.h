// sql_lexer.h: SQL text cut into tokens as PostgreSQL's scanner cuts it. Hot path: see sql_traits.h.
//
// What:   the tokens of a text, without white space and comments. Nothing is copied or allocated; every
//         call of next() that gives a token takes at least a byte, so any text comes to an end.
// Ends:   at the first NUL, as for PostgreSQL. What is not closed (a string, a comment, a quoted name)
//         ends with the text: PostgreSQL refuses such a text as a whole.
// Taken as given: standard_conforming_strings is on, and a byte below 0x80 is that ASCII character.
//         Neither holds for every session: with the setting off a backslash escapes in '…' too, and in
//         BIG5, GBK, GB18030, JOHAB, SHIFT_JIS_2004, SJIS and UHC the second byte of a character may be
//         a letter or a backslash. PostgreSQL reports both settings (standard_conforming_strings,
//         client_encoding); a caller that must know looks at them.
// Source: PostgreSQL docs "4.1. Lexical Structure", src/backend/parser/scan.l.
#ifndef WIRE_SQL_LEXER_H_
#define WIRE_SQL_LEXER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wire {

enum class SqlTokenKind : std::uint8_t {
  end,                 // there is no more; length 0
  word,                // an unquoted name or keyword
  quoted_identifier,   // "…", with its quotes
  escaped_identifier,  // U&"…": its escapes may spell any name
  string,              // '…', E'…', B'…', X'…', N'…', U&'…', $$…$$, with quotes and prefix
  parameter,           // $1
  number,              // letters right behind the digits are a word of their own
  semicolon,
  left_parenthesis,
  right_parenthesis,
  operation,  // an operator, or one of , . : [ ] or a byte that begins nothing
};

struct SqlToken {
  SqlTokenKind kind = SqlTokenKind::end;
  std::size_t offset = 0;
  std::size_t length = 0;
  friend bool operator==(const SqlToken&, const SqlToken&) = default;
};

class SqlLexer {
 public:
  // `sql` must outlive the lexer.
  explicit SqlLexer(std::string_view sql) noexcept : text_(sql.substr(0, sql.find('\0'))) {}

  [[nodiscard]] SqlToken next() noexcept;
  [[nodiscard]] std::string_view text(const SqlToken& token) const noexcept {
    return text_.substr(token.offset, token.length);
  }
  // The text up to its first NUL.
  [[nodiscard]] std::string_view text() const noexcept { return text_; }
  // Whether something was not closed. Known once next() has given `end`.
  [[nodiscard]] bool unterminated() const noexcept { return unterminated_; }

 private:
  [[nodiscard]] char at(std::size_t i) const noexcept { return i < text_.size() ? text_[i] : '\0'; }
  void skip_space_and_comments() noexcept;
  void skip_line_comment() noexcept;
  void skip_block_comment() noexcept;
  void take_quoted(char quote) noexcept;
  void take_escape_string() noexcept;
  [[nodiscard]] bool continues_on_another_line() noexcept;
  void take_word() noexcept;
  void take_number() noexcept;
  void take_operator() noexcept;
  [[nodiscard]] SqlTokenKind take_letter() noexcept;
  [[nodiscard]] SqlTokenKind take_dollar() noexcept;

  std::string_view text_;
  std::size_t at_ = 0;
  bool unterminated_ = false;
};

}  // namespace wire

#endif  // WIRE_SQL_LEXER_H_
