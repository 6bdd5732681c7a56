// The backslash escapes of PostgreSQL's regular expressions.
//
// Source: PostgreSQL docs, posix-escape-sequences; its regc_lex.c (lexescape) where the docs leave off.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "src/auth/regex_program.h"
#include "src/base/result.h"

namespace pgring {

struct RegexEscape {
  enum class Kind : std::uint8_t { byte, set, condition };
  Kind kind = Kind::byte;
  unsigned char byte = 0;
  ByteSet set;
  RegexCondition condition = RegexCondition::text_begin;
};

// Reads what follows the backslash, which is before `at`, and moves `at` behind it. The error says what is
// wrong; a back-reference is one. `groups` is the number of capturing parentheses opened so far.
[[nodiscard]] Result<RegexEscape, std::string> read_regex_escape(std::string_view pattern,
                                                                 std::size_t& at, unsigned groups);

}  // namespace pgring
