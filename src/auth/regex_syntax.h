// What a regular expression says, as a tree: what regex_parser.cc reads and regex_compiler.cc turns into code.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/auth/regex_program.h"
#include "src/base/result.h"

namespace pgring {

struct RegexNode {
  enum class Kind : std::uint8_t {
    empty,
    set,
    sequence,
    choice,
    repeat,
    group,
    condition,
    lookaround
  };
  Kind kind = Kind::empty;
  RegexTaste taste = RegexTaste::none;
  bool is_mixed = false;     // parts of it prefer the longest match, others the shortest
  bool holds_group = false;  // the first capturing parentheses are it or in it
  bool is_negative = false;  // lookaround
  bool is_behind = false;    // lookaround
  ByteSet set;
  RegexCondition condition = RegexCondition::text_begin;
  std::uint32_t min = 0;  // repeat
  std::uint32_t max = 0;  // repeat; regex_unbounded
  std::vector<RegexNode> children;
  RegexFragment code;  // where its code is; of the last copy, if it is repeated
};

inline constexpr std::uint32_t regex_unbounded = 0xFFFF'FFFF;
inline constexpr std::uint32_t regex_repeat_max = 255;  // PostgreSQL's DUPMAX
inline constexpr int regex_depth_max = 50;

struct RegexTree {
  RegexNode root;
  bool has_group = false;
};

[[nodiscard]] Result<RegexTree, std::string> parse_regex(std::string_view pattern);

// What is too large or too deep for it.
[[nodiscard]] Result<RegexProgram, std::string> compile_regex(RegexTree tree);

}  // namespace pgring
