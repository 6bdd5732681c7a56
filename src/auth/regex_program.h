// RegexProgram: a regular expression of PostgreSQL's dialect, compiled for a machine without backtracking.
//
// What:   instructions over sets of bytes. Code that falls off a fragment's end has matched it.
//         Lookaround lies in fragments of its own, inner ones first.
// Life:   made by compile_regex, then constant; any number of threads may run it at once.
// Units:  program counters are indices into `code`; subjects are bytes.
// Errors: none here; what cannot be compiled never becomes a program.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace pgring {

using ByteSet = std::bitset<256>;

// Matching takes at most (instructions) x (bytes) steps for each pass, and 64 KiB of stack.
inline constexpr std::size_t regex_code_max = 4096;
// Names have at most 63 bytes; a certificate's subject may be longer.
inline constexpr std::size_t regex_subject_max = 1024;
inline constexpr std::size_t regex_lookaround_max = 16;

enum class RegexOp : std::uint8_t { set, split, jump, condition, lookaround };

enum class RegexCondition : std::uint8_t {
  text_begin,
  text_end,
  line_begin,
  line_end,
  word_begin,
  word_end,
  word_boundary,
  no_word_boundary,
};

struct RegexInstruction {
  RegexOp op = RegexOp::jump;
  std::uint16_t a =
      0;  // set: index in `sets`; split, jump: target; condition: which; lookaround: which
  std::uint16_t b = 0;  // split: the other target; lookaround: 1 where it must not match
};

// Code [begin, end).
struct RegexFragment {
  std::uint16_t begin = 0;
  std::uint16_t end = 0;
};

enum class RegexTaste : std::uint8_t { none, longest, shortest };

struct RegexLookaround {
  RegexFragment fragment;
  bool is_behind = false;
};

// One step of finding what the first parentheses matched, within the text that the whole matched. After
// the last step the text left over is theirs.
struct RegexStep {
  enum class Kind : std::uint8_t {
    unless,  // nothing, if one of `earlier` matches all of the text, or if `left` does not
    skip,    // `left` matches the text's front and `right` the rest: go on with the rest
    enter,   // likewise: go on with the front
  };
  Kind kind = Kind::enter;
  RegexTaste taste = RegexTaste::longest;  // which front, where several are possible
  RegexFragment left;
  RegexFragment right;
  std::vector<RegexFragment> earlier;
};

struct RegexProgram {
  std::vector<RegexInstruction> code;
  std::vector<ByteSet> sets;
  std::vector<RegexLookaround> lookarounds;
  RegexFragment whole;
  RegexTaste taste = RegexTaste::longest;
  bool has_group = false;          // there are capturing parentheses
  bool group_is_repeated = false;  // the first ones stand under a quantifier: no steps
  std::vector<RegexStep> steps;
};

}  // namespace pgring
