// Hot path: runs for the texts that may_have_traits lets through.
#include "wire/sql_lexer.h"

#include <algorithm>
#include <array>

namespace wire {
namespace {

enum class Class : std::uint8_t {
  other,
  space,
  letter,
  digit,
  dollar,
  quote,
  double_quote,
  operation
};

constexpr std::array<Class, 256> make_classes() {
  std::array<Class, 256> classes{};
  const auto set = [&classes](std::string_view bytes, Class value) {
    for (const char c : bytes) classes[static_cast<unsigned char>(c)] = value;
  };
  set(" \t\n\r\f\v", Class::space);
  set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", Class::letter);
  for (std::size_t byte = 0x80; byte < classes.size(); ++byte) classes[byte] = Class::letter;
  set("0123456789", Class::digit);
  set("$", Class::dollar);
  set("'", Class::quote);
  set("\"", Class::double_quote);
  set("~!@#^&|`?+-*/%<>=", Class::operation);
  return classes;
}

constexpr std::array<Class, 256> classes = make_classes();

Class class_of(char c) { return classes[static_cast<unsigned char>(c)]; }

bool is_newline(char c) { return c == '\n' || c == '\r'; }

bool is_tag_character(char c) {
  return class_of(c) == Class::letter || class_of(c) == Class::digit;
}

// A table of its own: most bytes of a text are looked up here.
constexpr std::array<bool, 256> make_word_bytes() {
  std::array<bool, 256> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] =
        classes[i] == Class::letter || classes[i] == Class::digit || classes[i] == Class::dollar;
  }
  return bytes;
}

constexpr std::array<bool, 256> word_bytes = make_word_bytes();

}  // namespace

SqlToken SqlLexer::next() noexcept {
  skip_space_and_comments();
  SqlToken token{SqlTokenKind::end, at_, 0};
  if (at_ == text_.size()) return token;
  switch (class_of(text_[at_])) {
    case Class::letter:
      token.kind = take_letter();
      break;
    case Class::digit:
      token.kind = SqlTokenKind::number;
      take_number();
      break;
    case Class::dollar:
      token.kind = take_dollar();
      break;
    case Class::quote:
      token.kind = SqlTokenKind::string;
      take_quoted('\'');
      break;
    case Class::double_quote:
      token.kind = SqlTokenKind::quoted_identifier;
      take_quoted('"');
      break;
    case Class::operation:
      token.kind = SqlTokenKind::operation;
      take_operator();
      break;
    case Class::space:
    case Class::other: {
      const char c = text_[at_++];
      token.kind = c == ';'   ? SqlTokenKind::semicolon
                   : c == '(' ? SqlTokenKind::left_parenthesis
                   : c == ')' ? SqlTokenKind::right_parenthesis
                              : SqlTokenKind::operation;
      // .5 is a number; behind a name the dot is one that separates, but then no digit follows.
      if (c == '.' && class_of(at(at_)) == Class::digit) {
        token.kind = SqlTokenKind::number;
        take_number();
      }
      break;
    }
  }
  token.length = at_ - token.offset;
  return token;
}

void SqlLexer::skip_space_and_comments() noexcept {
  while (at_ < text_.size()) {
    const char c = text_[at_];
    const Class kind = class_of(c);
    if (kind == Class::space) {
      ++at_;
      continue;
    }
    if (kind != Class::operation) return;
    const char next = at(at_ + 1);
    if (c == '-' && next == '-') {
      skip_line_comment();
    } else if (c == '/' && next == '*') {
      skip_block_comment();
    } else {
      return;
    }
  }
}

void SqlLexer::skip_line_comment() noexcept {
  while (at_ < text_.size() && !is_newline(text_[at_])) ++at_;
}

void SqlLexer::skip_block_comment() noexcept {
  std::size_t depth = 0;
  while (at_ < text_.size()) {
    if (text_[at_] == '/' && at(at_ + 1) == '*') {
      ++depth;
      at_ += 2;
    } else if (text_[at_] == '*' && at(at_ + 1) == '/') {
      at_ += 2;
      if (--depth == 0) return;
    } else {
      ++at_;
    }
  }
  unterminated_ = true;
}

// From the opening quote to behind the closing one. A doubled quote stands for one and closes nothing.
void SqlLexer::take_quoted(char quote) noexcept {
  ++at_;
  while (at_ < text_.size()) {
    at_ = std::min(text_.find(quote, at_), text_.size());
    if (at_ == text_.size()) break;
    ++at_;
    if (at(at_) != quote) return;
    ++at_;
  }
  unterminated_ = true;
}

// As take_quoted, for what stands behind an E. Backslashes escape in its continuations too.
void SqlLexer::take_escape_string() noexcept {
  ++at_;
  while (at_ < text_.size()) {
    const char c = text_[at_++];
    if (c == '\\' && at_ < text_.size()) {
      ++at_;
    } else if (c == '\'') {
      if (at(at_) == '\'') {
        ++at_;
      } else if (!continues_on_another_line()) {
        return;
      }
    }
  }
  unterminated_ = true;
}

// 'a' <line break> 'b' is one string. Goes behind the next opening quote if there is one.
bool SqlLexer::continues_on_another_line() noexcept {
  const std::size_t closed = at_;
  bool line_break = false;
  while (at_ < text_.size()) {
    const char c = text_[at_];
    if (class_of(c) == Class::space) {
      line_break = line_break || is_newline(c);
      ++at_;
    } else if (c == '-' && at(at_ + 1) == '-') {
      skip_line_comment();
    } else {
      break;
    }
  }
  if (line_break && at(at_) == '\'') {
    ++at_;
    return true;
  }
  at_ = closed;
  return false;
}

void SqlLexer::take_word() noexcept {
  const char* const begin = text_.data();
  const char* const end = begin + text_.size();
  const char* c = begin + at_;
  while (c != end && word_bytes[static_cast<unsigned char>(*c)]) ++c;
  at_ = static_cast<std::size_t>(c - begin);
}

void SqlLexer::take_number() noexcept {
  const auto take_digits = [this] {
    while (class_of(at(at_)) == Class::digit) ++at_;
  };
  take_digits();
  if (at(at_) == '.') {
    ++at_;
    take_digits();
  }
  if ((at(at_) | 0x20) != 'e') return;
  const std::size_t sign = at(at_ + 1) == '+' || at(at_ + 1) == '-' ? 1 : 0;
  if (class_of(at(at_ + 1 + sign)) != Class::digit) return;
  at_ += 1 + sign;
  take_digits();
}

// Comments begin in the middle of what would else be one operator.
void SqlLexer::take_operator() noexcept {
  ++at_;
  while (class_of(at(at_)) == Class::operation) {
    if (at(at_) == '-' && at(at_ + 1) == '-') return;
    if (at(at_) == '/' && at(at_ + 1) == '*') return;
    ++at_;
  }
}

SqlTokenKind SqlLexer::take_letter() noexcept {
  const char next = at(at_ + 1);
  if (next == '\'') {
    switch (text_[at_] | 0x20) {
      case 'e':
        ++at_;
        take_escape_string();
        return SqlTokenKind::string;
      case 'b':
      case 'n':
      case 'x':
        ++at_;
        take_quoted('\'');
        return SqlTokenKind::string;
      default:
        break;
    }
  }
  if (next == '&' && (text_[at_] | 0x20) == 'u') {
    const char quote = at(at_ + 2);
    if (quote == '\'' || quote == '"') {
      at_ += 2;
      take_quoted(quote);
      return quote == '"' ? SqlTokenKind::escaped_identifier : SqlTokenKind::string;
    }
  }
  take_word();
  return SqlTokenKind::word;
}

SqlTokenKind SqlLexer::take_dollar() noexcept {
  const std::size_t opening = at_++;
  if (class_of(at(at_)) == Class::digit) {
    while (class_of(at(at_)) == Class::digit) ++at_;
    return SqlTokenKind::parameter;
  }
  std::size_t end = at_;
  while (is_tag_character(at(end))) ++end;
  if (at(end) != '$') return SqlTokenKind::operation;
  // A dollar stands only at both ends of the tag, so looking for it costs no more than the text is long.
  const std::string_view tag = text_.substr(opening, end + 1 - opening);
  const std::size_t closing = text_.find(tag, end + 1);
  unterminated_ = unterminated_ || closing == std::string_view::npos;
  at_ = closing == std::string_view::npos ? text_.size() : closing + tag.size();
  return SqlTokenKind::string;
}

}  // namespace wire
