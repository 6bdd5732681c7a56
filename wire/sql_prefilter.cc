// Hot path: runs once per Query and Parse.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "wire/sql_lexer.h"
#include "wire/sql_traits.h"
#include "wire/sql_word.h"

namespace wire {
namespace {

// Sixteen bytes at once, by the compiler's vector extension: SSE2, NEON, or plain code.
constexpr std::size_t lane_count = 16;
using Bytes [[gnu::vector_size(lane_count)]] = std::uint8_t;
using Matches [[gnu::vector_size(lane_count)]] = signed char;  // -1 or 0

// A name is recognised by four of its bytes, so three behind a vector are read too.
constexpr std::size_t look_ahead = 3;

Bytes load(const char* at) {
  Bytes bytes;
  std::memcpy(&bytes, at, sizeof bytes);
  return bytes;
}

// Setting bit 5 makes a capital letter small and makes no letter of any other byte.
Bytes fold(Bytes bytes) { return bytes | std::uint8_t{0x20}; }

Matches is(Bytes bytes, char c) { return bytes == static_cast<std::uint8_t>(c); }

bool any(Matches matches) {
  std::array<std::uint64_t, 2> words{};
  std::memcpy(words.data(), &matches, sizeof words);
  return (words[0] | words[1]) != 0;
}

// INTO, where it is not INSERT's.
bool into_begins(const char* at) {
  const Matches nt = is(fold(load(at + 1)), 'n') & is(fold(load(at + 2)), 't');
  if (!any(nt)) return false;
  return any(nt & is(fold(load(at)), 'i') & is(fold(load(at + 3)), 'o'));
}

// Whether one of the pieces begins in at[0 … 15], or a semicolon stands there. Reads up to at[18].
bool piece_begins(const char* at) {
  const Bytes raw_0 = load(at);
  const Bytes raw_1 = load(at + 1);
  const Bytes raw_2 = load(at + 2);
  const Bytes c1 = fold(raw_1);
  const Bytes c2 = fold(raw_2);
  // The two bytes in the middle first: these pairs are rare in ordinary SQL, but for "et".
  const Matches et = is(c1, 'e') & is(c2, 't');
  const Matches em = is(c1, 'e') & is(c2, 'm');
  const Matches dv = is(c1, 'd') & is(c2, 'v');
  const Matches k_underscore = is(c1, 'k') & is(raw_2, '_');
  const Matches ku = is(c1, 'k') & is(c2, 'u');
  const Matches sl = is(c1, 's') & is(c2, 'l');
  const Matches tv = is(c1, 't') & is(c2, 'v');
  const Matches rv = is(c1, 'r') & is(c2, 'v');
  const Matches escape = is(raw_1, '&') & is(raw_2, '"');
  const Matches semicolon = is(raw_0, ';');
  if (!any(et | em | dv | k_underscore | ku | sl | tv | rv | escape | semicolon)) return false;

  const Bytes c0 = fold(raw_0);
  const Bytes raw_3 = load(at + 3);
  const Bytes c3 = fold(raw_3);
  const Matches set_name = is(c0, 's') & et & (is(raw_3, '_') | is(c3, 's') | is(c3, 't'));
  const Matches temp = is(c0, 't') & em & is(c3, 'p');
  const Matches advisory = is(c0, 'a') & dv & is(c3, 'i');
  const Matches link_connect = is(c0, 'n') & k_underscore & is(c3, 'c');
  const Matches backup = is(c0, 'c') & ku & is(c3, 'p');
  const Matches slot = is(raw_0, '_') & sl & is(c3, 'o');
  const Matches lastval = is(c0, 's') & tv & is(c3, 'a');
  const Matches currval = is(c0, 'r') & rv & is(c3, 'a');
  const Matches escaped_name = is(c0, 'u') & escape;
  return any(set_name | temp | advisory | link_connect | backup | slot | lastval | currval |
             escaped_name | semicolon);
}

bool has_piece(std::string_view sql, bool into) {
  const auto begins = [into](const char* at) {
    return piece_begins(at) || (into && into_begins(at));
  };
  const char* at = sql.data();
  std::size_t left = sql.size();
  for (; left >= lane_count + look_ahead; at += lane_count, left -= lane_count) {
    if (begins(at)) return true;
  }
  if (left == 0) return false;
  // The end is read from a copy with zeros behind it, which are part of no piece.
  std::array<char, 2 * lane_count + look_ahead> tail{};
  std::memcpy(tail.data(), at, left);
  return begins(tail.data()) || (left > lane_count && begins(tail.data() + lane_count));
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

bool is_letter(char c) {
  const char small = static_cast<char>(c | 0x20);
  return small >= 'a' && small <= 'z';
}

// Of a word, behind its first letter.
bool continues_word(char c) {
  return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '$' || (c & 0x80) != 0;
}

SqlWord first_word(std::string_view sql) {
  std::size_t begin = 0;
  while (begin < sql.size() && is_space(sql[begin])) ++begin;
  std::size_t end = begin;
  while (end < sql.size() && is_letter(sql[end])) ++end;
  const bool longer = end < sql.size() && continues_word(sql[end]);
  if (begin < end && !longer) return find_sql_word(sql.substr(begin, end - begin));
  SqlLexer lexer(sql);
  return find_sql_word(lexer.text(lexer.next()));
}

// Statements in which names alone can mean anything, and INTO TEMP.
bool is_harmless(SqlWord first) {
  return first == SqlWord::select || first == SqlWord::update || first == SqlWord::insert ||
         first == SqlWord::delete_from || first == SqlWord::with || first == SqlWord::values ||
         first == SqlWord::merge || first == SqlWord::fetch || first == SqlWord::move ||
         first == SqlWord::show;
}

}  // namespace

bool may_have_traits(std::string_view sql) noexcept {
  while (!sql.empty() && (is_space(sql.back()) || sql.back() == ';')) sql.remove_suffix(1);
  if (sql.empty()) return false;
  const SqlWord first = first_word(sql);
  const bool may_select_into = first == SqlWord::select || first == SqlWord::with;
  return !is_harmless(first) || has_piece(sql, may_select_into);
}

}  // namespace wire
