// Hot path: runs once per Query, and per Parse of the unnamed statement.
#include "wire/sql_fingerprint.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <utility>

#include "wire/sql_word.h"

namespace wire {
namespace {

// Sixteen bytes at once, by the compiler's vector extension, as in sql_prefilter.cc.
constexpr std::size_t lane_count = 16;
using Bytes [[gnu::vector_size(lane_count)]] = std::uint8_t;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_letter(char c) {
  const char small = static_cast<char>(c | 0x20);
  return small >= 'a' && small <= 'z';
}

bool continues_name(char c) {
  return is_letter(c) || is_digit(c) || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Where a literal, a quoted name or a comment may begin: ' " $ - / and digits.
bool is_mark(char c) {
  return c == '\'' || c == '"' || c == '$' || c == '-' || c == '/' || is_digit(c);
}

std::size_t find_mark(std::string_view sql, std::size_t at) {
  for (; sql.size() - at >= lane_count; at += lane_count) {
    Bytes bytes;
    std::memcpy(&bytes, sql.data() + at, sizeof bytes);
    const auto marks = (bytes == std::uint8_t{'\''}) | (bytes == std::uint8_t{'$'}) |
                       (bytes == std::uint8_t{'"'}) | (bytes == std::uint8_t{'-'}) |
                       (bytes == std::uint8_t{'/'}) |
                       ((bytes - std::uint8_t{'0'}) < std::uint8_t{10});
    std::array<std::uint64_t, 2> words{};
    std::memcpy(words.data(), &marks, sizeof words);
    if ((words[0] | words[1]) != 0) break;
  }
  while (at < sql.size() && !is_mark(sql[at])) ++at;
  return at;
}

// Behind the quote that ends the string which begins at `at`. Nothing: where it ends depends on
// standard_conforming_strings.
std::optional<std::size_t> end_of_string(std::string_view sql, std::size_t at) {
  const bool escapes = at > 0 && (sql[at - 1] == 'E' || sql[at - 1] == 'e') &&
                       (at == 1 || !continues_name(sql[at - 2]));
  for (std::size_t i = at + 1; i < sql.size(); ++i) {
    if (sql[i] == '\\') {
      if (!escapes) return std::nullopt;
      ++i;
    } else if (sql[i] == '\'') {
      return i + 1;  // two quotes in a row: the next string follows at once
    }
  }
  return sql.size();
}

// Behind the quote that ends the name; two in a row: the rest of it is cut as another one.
std::size_t end_of_quoted_name(std::string_view sql, std::size_t at) {
  const std::size_t end = sql.find('"', at + 1);
  return end == std::string_view::npos ? sql.size() : end + 1;
}

std::size_t end_of_name(std::string_view sql, std::size_t at) {
  while (at < sql.size() && continues_name(sql[at])) ++at;
  return at;
}

std::size_t end_of_number(std::string_view sql, std::size_t at) {
  while (at < sql.size() && (continues_name(sql[at]) || sql[at] == '.')) ++at;
  return at;
}

// $tag$ … $tag$; behind the dollar where it is no such string.
std::size_t end_of_dollar_string(std::string_view sql, std::size_t at) {
  std::size_t end = at + 1;
  while (end < sql.size() && sql[end] != '$' && continues_name(sql[end])) ++end;
  if (end >= sql.size() || sql[end] != '$') return at + 1;
  const std::string_view tag = sql.substr(at, end + 1 - at);
  const std::size_t close = sql.find(tag, end + 1);
  return close == std::string_view::npos ? sql.size() : close + tag.size();
}

// Those of the one kind end at any line's end, those of the other may hold more of their kind.
std::size_t end_of_comment(std::string_view sql, std::size_t at) {
  if (sql[at] == '-') return std::min(sql.find_first_of("\n\r", at), sql.size());
  std::size_t depth = 1;
  for (std::size_t i = at + 2; i + 1 < sql.size(); ++i) {
    const std::string_view two = sql.substr(i, 2);
    if (two == "/*") {
      ++depth;
      ++i;
    } else if (two == "*/") {
      if (--depth == 0) return i + 2;
      ++i;
    }
  }
  return sql.size();
}

// What begins at a mark: `end` is behind it.
struct Piece {
  enum class Kind : std::uint8_t { plain, literal, comment, unclear };
  Kind kind = Kind::plain;
  std::size_t end = 0;
};

Piece piece_at(std::string_view sql, std::size_t at) {
  const char c = sql[at];
  const char next = at + 1 < sql.size() ? sql[at + 1] : '\0';
  if (c == '\'') {
    const auto end = end_of_string(sql, at);
    return end ? Piece{Piece::Kind::literal, *end} : Piece{Piece::Kind::unclear, sql.size()};
  }
  if (c == '"') return {Piece::Kind::plain, end_of_quoted_name(sql, at)};
  if (at > 0 && continues_name(sql[at - 1]) && (is_digit(c) || c == '$'))
    return {Piece::Kind::plain, end_of_name(sql, at)};
  if (is_digit(c)) return {Piece::Kind::literal, end_of_number(sql, at)};
  if (c == '$' && is_digit(next)) return {Piece::Kind::literal, end_of_number(sql, at + 1)};
  if (c == '$') return {Piece::Kind::plain, end_of_dollar_string(sql, at)};
  if ((c == '-' && next == '-') || (c == '/' && next == '*'))
    return {Piece::Kind::comment, end_of_comment(sql, at)};
  return {Piece::Kind::plain, at + 1};
}

// Calls sink.plain(piece) and sink.literal() for what there is, in order; last, perhaps, sink.unclear(piece) of what may be
// either.
template <class Sink>
void cut(std::string_view sql, Sink& sink) {
  std::size_t run = 0;
  for (std::size_t at = find_mark(sql, 0); at < sql.size();) {
    const Piece piece = piece_at(sql, at);
    if (piece.kind != Piece::Kind::plain) {
      if (at > run) sink.plain(sql.substr(run, at - run));
      if (piece.kind == Piece::Kind::literal) sink.literal();
      if (piece.kind == Piece::Kind::unclear) sink.unclear(sql.substr(at));
      run = piece.end;
    }
    at = find_mark(sql, piece.end);
  }
  if (run < sql.size()) sink.plain(sql.substr(run));
}

bool only_separates(std::string_view piece) {
  for (const char c : piece) {
    if (c != ',' && c != '(' && c != ')' && !is_space(c)) return false;
  }
  return true;
}

class Hash {
 public:
  void plain(std::string_view piece) {
    if (after_literal_ && separators_.empty() && only_separates(piece)) {
      separators_ = piece;  // between the elements of a list, perhaps
      return;
    }
    mix(separators_);
    separators_ = {};
    after_literal_ = false;
    mix(piece);
  }

  void literal() {
    if (!after_literal_) mix("?");
    separators_ = {};
    after_literal_ = true;
  }

  // As it stands: nothing that runs may pass for a value.
  void unclear(std::string_view piece) { plain(piece); }

  [[nodiscard]] std::uint64_t finish() {
    mix(separators_);
    return hash_ == 0 ? 1 : hash_;
  }

 private:
  void mix(std::string_view piece) {
    while (piece.size() >= sizeof(std::uint64_t)) {
      mix_word(piece, sizeof(std::uint64_t));
      piece.remove_prefix(sizeof(std::uint64_t));
    }
    if (!piece.empty()) mix_word(piece, piece.size());
  }

  void mix_word(std::string_view piece, std::size_t size) {
    std::uint64_t word = 0;
    std::memcpy(&word, piece.data(), size);
    hash_ = (hash_ ^ word ^ size) * 0x9e3779b97f4a7c15U;
    hash_ ^= hash_ >> 29;
  }

  std::uint64_t hash_ = 0x2545f4914f6cdd1dU;
  std::string_view separators_;
  bool after_literal_ = false;
};

class Text {
 public:
  explicit Text(std::size_t size_max) : size_max_{size_max} {}

  void plain(std::string_view piece) {
    for (const char c : piece) {
      const bool space = is_space(c) || c == '\0';
      if (space && (text_.empty() || text_.back() == ' ')) continue;
      if (!put(space ? ' ' : c)) return;
    }
  }
  void literal() { (void)put('?'); }
  void unclear(std::string_view /*piece*/) { literal(); }

  [[nodiscard]] std::string finish() {
    while (!text_.empty() && text_.back() == ' ') text_.pop_back();
    return std::move(text_);
  }

 private:
  bool put(char c) {
    if (full_) return false;
    if (text_.size() < size_max_) {
      text_ += c;
      return true;
    }
    full_ = true;
    // Not in the midst of a character.
    if ((static_cast<unsigned char>(c) & 0xc0U) != 0x80) return false;
    while (!text_.empty() && (static_cast<unsigned char>(text_.back()) & 0xc0U) == 0x80)
      text_.pop_back();
    if (!text_.empty()) text_.pop_back();
    return false;
  }

  std::size_t size_max_;
  std::string text_;
  bool full_ = false;
};

bool calls_nothing(std::string_view sql) {
  std::size_t begin = 0;
  while (begin < sql.size() && is_space(sql[begin])) ++begin;
  std::size_t end = begin;
  while (end < sql.size() && is_letter(sql[end])) ++end;
  if (begin == sql.size()) return true;
  const SqlWord first = find_sql_word(sql.substr(begin, end - begin));
  constexpr std::array harmless{
      SqlWord::abort, SqlWord::begin,  SqlWord::commit,  SqlWord::deallocate, SqlWord::discard,
      SqlWord::end,   SqlWord::listen, SqlWord::reset,   SqlWord::rollback,   SqlWord::set,
      SqlWord::show,  SqlWord::start,  SqlWord::unlisten};
  return std::ranges::find(harmless, first) != harmless.end() &&
         sql.find(';', end) == std::string_view::npos;
}

}  // namespace

std::uint64_t sql_fingerprint(std::string_view sql) noexcept {
  sql = sql.substr(0, sql.find('\0'));
  while (!sql.empty() && (is_space(sql.back()) || sql.back() == ';')) sql.remove_suffix(1);
  if (calls_nothing(sql)) return 0;
  Hash hash;
  cut(sql, hash);
  return hash.finish();
}

std::string without_literals(std::string_view sql, std::size_t size_max) {
  Text text{size_max};
  cut(sql.substr(0, sql.find('\0')), text);
  return text.finish();
}

}  // namespace wire
