// Hot path: runs once per message.
#include "wire/statement_hint.h"

#include <cstddef>
#include <cstdint>

namespace wire {
namespace {

constexpr std::size_t word_size_max = 4;
constexpr std::size_t block_size = 64;

// Sets bit 5, which turns a capital letter into a small one. Other bytes change too ('[' to '{'),
// but none of them into a letter: only '@'…'_' move, to '`'…'DEL', letters to letters.
constexpr std::uint8_t fold(char c) { return static_cast<std::uint8_t>(c | 0x20); }

constexpr bool is(char c, char letter) { return fold(c) == static_cast<std::uint8_t>(letter); }

// Whether one of the words begins at `at`. No branches, so that a block becomes vector code.
// The first four letters stand for the longer words.
constexpr bool word_begins(const char* at) {
  const bool set = is(at[0], 's') & is(at[1], 'e') & is(at[2], 't');
  const bool disc = is(at[0], 'd') & is(at[1], 'i') & is(at[2], 's') & is(at[3], 'c');
  const bool load = is(at[0], 'l') & is(at[1], 'o') & is(at[2], 'a') & is(at[3], 'd');
  const bool exec = is(at[0], 'e') & is(at[1], 'x') & is(at[2], 'e') & is(at[3], 'c');
  const bool escaped_name = is(at[0], 'u') & (at[1] == '&') & (at[2] == '"');
  return set | disc | load | exec | escaped_name;
}

}  // namespace

bool may_change_settings(std::string_view sql) noexcept {
  const char* at = sql.data();
  std::size_t left = sql.size();
  while (left >= block_size + word_size_max - 1) {
    std::uint8_t found = 0;
    for (std::size_t i = 0; i < block_size; ++i) {
      found = static_cast<std::uint8_t>(found | std::uint8_t{word_begins(at + i)});
    }
    if (found != 0) return true;
    at += block_size;
    left -= block_size;
  }
  for (; left >= word_size_max; ++at, --left) {
    if (word_begins(at)) return true;
  }
  if (left < 3) return false;
  // "…SET" and nothing behind it: read with a blank in place of the byte that is not there.
  const char tail[word_size_max] = {at[0], at[1], at[2], ' '};
  return word_begins(tail);
}

}  // namespace wire
