// Hot path: runs once per message.
#include "wire/statement_hint.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace wire {
namespace {

// Sixteen bytes at once, by the compiler's vector extension: SSE2, NEON, or plain code.
constexpr std::size_t lane_count = 16;
using Bytes [[gnu::vector_size(lane_count)]] = std::uint8_t;
using Matches [[gnu::vector_size(lane_count)]] = signed char;  // -1 or 0

// A word is recognised by its first four letters, so three bytes behind a vector are read too.
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

// Whether one of the words begins in at[0 … 15]. Reads up to at[18].
bool word_begins(const char* at) {
  const Bytes raw_1 = load(at + 1);
  const Bytes raw_2 = load(at + 2);
  const Bytes c1 = fold(raw_1);
  const Bytes c2 = fold(raw_2);
  // The second and third letters first: these pairs are rare in ordinary SQL, "se" is not.
  const Matches et = is(c1, 'e') & is(c2, 't');
  const Matches i_s = is(c1, 'i') & is(c2, 's');
  const Matches oa = is(c1, 'o') & is(c2, 'a');
  const Matches xe = is(c1, 'x') & is(c2, 'e');
  const Matches escape = is(raw_1, '&') & is(raw_2, '"');
  if (!any(et | i_s | oa | xe | escape)) return false;

  const Bytes c0 = fold(load(at));
  const Bytes c3 = fold(load(at + 3));
  const Matches set = is(c0, 's') & et;
  const Matches discard = is(c0, 'd') & i_s & is(c3, 'c');
  const Matches load_library = is(c0, 'l') & oa & is(c3, 'd');
  const Matches execute = is(c0, 'e') & xe & is(c3, 'c');
  const Matches escaped_name = is(c0, 'u') & escape;
  return any(set | discard | load_library | execute | escaped_name);
}

}  // namespace

bool may_reset_all(std::string_view sql) noexcept {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  const auto begins_with = [lower](std::string_view text, std::string_view word) {
    return text.size() >= word.size() &&
           std::equal(word.begin(), word.end(), text.begin(),
                      [lower](char a, char b) { return a == lower(b); });
  };
  constexpr std::string_view reset = "reset";
  for (std::size_t at = 0; at + reset.size() < sql.size(); ++at) {
    if (!begins_with(sql.substr(at), reset)) continue;
    const std::string_view rest = sql.substr(at + reset.size());
    const std::size_t word = rest.find_first_not_of(" \t\r\n\f\v");
    if (word != std::string_view::npos && word > 0 && begins_with(rest.substr(word), "all"))
      return true;
  }
  return false;
}

bool may_change_settings(std::string_view sql) noexcept {
  const char* at = sql.data();
  std::size_t left = sql.size();
  for (; left >= lane_count + look_ahead; at += lane_count, left -= lane_count) {
    if (word_begins(at)) return true;
  }
  if (left == 0) return false;
  // The end is read from a copy with zeros behind it, which are part of no word.
  std::array<char, 2 * lane_count + look_ahead> tail{};
  std::memcpy(tail.data(), at, left);
  return word_begins(tail.data()) || word_begins(tail.data() + lane_count);
}

}  // namespace wire
