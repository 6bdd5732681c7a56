#include "src/auth/regex.h"

#include <algorithm>
#include <array>

#include "src/auth/regex_syntax.h"
#include "src/base/check.h"

namespace pgring {
namespace {

using Place = std::uint16_t;  // an offset in the subject, 0 … size
constexpr Place nowhere = 0xFFFF;
using Places = std::bitset<regex_subject_max + 1>;

// Which starting place is kept where several lead to the same state.
enum class Keep : std::uint8_t { first, last };
enum class Direction : std::uint8_t { forward, backward };

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Runs fragments of one program over one subject: all threads at once, byte after byte, so that no state
// is entered twice at a place. A thread carries the place it began at.
class Machine {
 public:
  // The arrays are not cleared: 50 KiB, of which a run writes what it reads.
  Machine(const RegexProgram& program, std::string_view subject)  // NOLINT(*-member-init)
      : program_(program), subject_(subject) {
    POOLER_CHECK(subject.size() <= regex_subject_max);
    POOLER_CHECK(program.code.size() <= regex_code_max);
    // In their order: an inner lookaround comes before the one it stands in.
    for (std::size_t i = 0; i < program.lookarounds.size(); ++i) {
      const RegexLookaround& around = program.lookarounds[i];
      run(around.fragment, around.is_behind ? Direction::forward : Direction::backward, all(),
          Keep::first);
      for (std::size_t at = 0; at <= subject.size(); ++at) holds_[i][at] = ends_[at] != nowhere;
    }
  }

  [[nodiscard]] bool matches() {
    return run(program_.whole, Direction::forward, all(), Keep::first, true);
  }

  [[nodiscard]] std::optional<std::string_view> find_group() {
    Place begin = nowhere;
    run(program_.whole, Direction::forward, all(), Keep::first);
    for (std::size_t at = 0; at <= subject_.size(); ++at) begin = std::min(begin, ends_[at]);
    if (begin == nowhere) return std::nullopt;
    Place end = furthest(program_.whole, begin, program_.taste, size());
    for (const RegexStep& step : program_.steps) {
      switch (step.kind) {
        case RegexStep::Kind::unless:
          for (const RegexFragment& earlier : step.earlier) {
            if (spans(earlier, begin, end)) return std::nullopt;
          }
          if (!spans(step.left, begin, end)) return std::nullopt;
          break;
        case RegexStep::Kind::skip:
          begin = divide(step, begin, end);
          break;
        case RegexStep::Kind::enter:
          end = divide(step, begin, end);
          break;
      }
    }
    return subject_.substr(begin, std::size_t{end} - begin);
  }

 private:
  struct Thread {
    std::uint16_t at;
    Place from;
  };
  // A fixed list without a constructor that clears it.
  struct Threads {
    std::array<Thread, regex_code_max + 1> items;
    std::size_t count;
  };

  [[nodiscard]] Place size() const { return static_cast<Place>(subject_.size()); }

  [[nodiscard]] Places all() const {
    Places places;
    for (std::size_t at = 0; at <= subject_.size(); ++at) places.set(at);
    return places;
  }

  [[nodiscard]] static Places only(Place place) {
    Places places;
    places.set(place);
    return places;
  }

  // The longest or shortest match from `begin`, at most to `limit`.
  [[nodiscard]] Place furthest(RegexFragment fragment, Place begin, RegexTaste taste, Place limit) {
    run(fragment, Direction::forward, only(begin), Keep::first);
    Place found = nowhere;
    for (Place at = begin; at <= limit; ++at) {
      if (ends_[at] == nowhere) continue;
      found = at;
      if (taste == RegexTaste::shortest) break;
    }
    POOLER_CHECK(found != nowhere);
    return found;
  }

  [[nodiscard]] bool spans(RegexFragment fragment, Place begin, Place end) {
    run(fragment, Direction::forward, only(begin), Keep::first);
    return ends_[end] != nowhere;
  }

  // Where in [begin, end] the step's left part ends, so that its right part matches the rest.
  [[nodiscard]] Place divide(const RegexStep& step, Place begin, Place end) {
    run(step.left, Direction::forward, only(begin), Keep::first);
    Places middles;
    for (Place at = begin; at <= end; ++at) middles[at] = ends_[at] != nowhere;
    const bool is_shortest = step.taste == RegexTaste::shortest;
    run(step.right, Direction::forward, middles, is_shortest ? Keep::first : Keep::last);
    POOLER_CHECK(ends_[end] != nowhere);
    return ends_[end];
  }

  // Afterwards ends_[p] is the place from which `fragment` matches up to p (downwards to p if backward).
  // Threads stay in the order that `keep` wants, so the first to reach a state has the right to it.
  bool run(RegexFragment fragment, Direction direction, const Places& seeds, Keep keep,
           bool until_any = false) {
    std::fill_n(ends_.begin(), subject_.size() + 1, nowhere);
    std::fill_n(seen_.begin(), program_.code.size() + 1, nowhere);
    now_.count = 0;
    const bool is_forward = direction == Direction::forward;
    for (std::size_t i = 0; i <= subject_.size(); ++i) {
      const std::size_t at = is_forward ? i : subject_.size() - i;
      const auto place = static_cast<Place>(at);
      next_.count = 0;
      const Thread seed{fragment.begin, place};
      const bool is_seeded = seeds[at];
      if (is_seeded && keep == Keep::last) enter(seed, fragment, place);
      for (std::size_t t = 0; t < now_.count; ++t) enter(now_.items[t], fragment, place);
      if (is_seeded && keep == Keep::first) enter(seed, fragment, place);
      if (until_any && ends_[at] != nowhere) return true;
      if (i == subject_.size()) break;
      step(static_cast<unsigned char>(subject_[is_forward ? at : at - 1]));
    }
    return false;
  }

  // Threads that wait at a set and whose set has the byte go on behind it.
  void step(unsigned char byte) {
    now_.count = 0;
    for (std::size_t t = 0; t < next_.count; ++t) {
      const Thread thread = next_.items[t];
      if (!program_.sets[program_.code[thread.at].a][byte]) continue;
      now_.items[now_.count++] = {static_cast<std::uint16_t>(thread.at + 1), thread.from};
    }
  }

  // Follows what consumes nothing, to the sets at which the thread then waits, and to the end.
  void enter(Thread thread, RegexFragment fragment, Place place) {
    std::size_t depth = 0;
    const auto visit = [&](std::uint16_t at) {
      if (seen_[at] == place) return;
      seen_[at] = place;
      pending_[depth++] = at;
    };
    visit(thread.at);
    while (depth > 0) {
      const std::uint16_t at = pending_[--depth];
      if (at == fragment.end) {
        ends_[place] = thread.from;
        continue;
      }
      const RegexInstruction& instruction = program_.code[at];
      switch (instruction.op) {
        case RegexOp::set:
          next_.items[next_.count++] = {at, thread.from};
          break;
        case RegexOp::split:
          visit(instruction.b);
          visit(instruction.a);
          break;
        case RegexOp::jump:
          visit(instruction.a);
          break;
        case RegexOp::condition:
          if (is_met(static_cast<RegexCondition>(instruction.a), place)) {
            visit(static_cast<std::uint16_t>(at + 1));
          }
          break;
        case RegexOp::lookaround:
          if (holds_[instruction.a][place] != (instruction.b == 1)) {
            visit(static_cast<std::uint16_t>(at + 1));
          }
          break;
      }
    }
  }

  [[nodiscard]] bool is_met(RegexCondition condition, Place place) const {
    const bool at_begin = place == 0;
    const bool at_end = place == subject_.size();
    const bool after_word = !at_begin && is_word(subject_[place - std::size_t{1}]);
    const bool before_word = !at_end && is_word(subject_[place]);
    switch (condition) {
      case RegexCondition::text_begin:
        return at_begin;
      case RegexCondition::text_end:
        return at_end;
      case RegexCondition::line_begin:
        return at_begin || subject_[place - std::size_t{1}] == '\n';
      case RegexCondition::line_end:
        return at_end || subject_[place] == '\n';
      case RegexCondition::word_begin:
        return !after_word && before_word;
      case RegexCondition::word_end:
        return after_word && !before_word;
      case RegexCondition::word_boundary:
        return after_word != before_word;
      case RegexCondition::no_word_boundary:
        return after_word == before_word;
    }
    POOLER_UNREACHABLE();
  }

  const RegexProgram& program_;
  std::string_view subject_;
  std::array<Places, regex_lookaround_max> holds_;
  std::array<Place, regex_subject_max + 1> ends_;
  std::array<Place, regex_code_max + 1> seen_;  // the place at which a state was last entered
  std::array<std::uint16_t, regex_code_max + 1> pending_;
  Threads now_;
  Threads next_;
};

}  // namespace

Result<Regex, std::string> Regex::compile(std::string_view pattern) {
  auto tree = parse_regex(pattern);
  if (!tree) return Unexpected(std::move(tree).error());
  auto program = compile_regex(*std::move(tree));
  if (!program) return Unexpected(std::move(program).error());
  return Regex(*std::move(program));
}

bool Regex::matches(std::string_view subject) const { return Machine(program_, subject).matches(); }

std::optional<std::string_view> Regex::find_group(std::string_view subject) const {
  POOLER_CHECK(program_.has_group && !program_.group_is_repeated);
  return Machine(program_, subject).find_group();
}

}  // namespace pgring
