#include <fmt/format.h>

#include <optional>
#include <utility>

#include "src/auth/regex_class.h"
#include "src/auth/regex_escape.h"
#include "src/auth/regex_syntax.h"

namespace pgring {
namespace {

using Kind = RegexNode::Kind;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

RegexTaste taste_of(bool is_greedy) {
  return is_greedy ? RegexTaste::longest : RegexTaste::shortest;
}

// What `whole` prefers, once `part` has joined it: what its first part with a preference does.
void join_tastes(RegexNode& whole, const RegexNode& part) {
  whole.holds_group = whole.holds_group || part.holds_group;
  whole.is_mixed = whole.is_mixed || part.is_mixed ||
                   (whole.taste != RegexTaste::none && part.taste != RegexTaste::none &&
                    whole.taste != part.taste);
  if (whole.taste == RegexTaste::none) whole.taste = part.taste;
}

RegexNode set_node(const ByteSet& set) { return {.kind = Kind::set, .set = set}; }

RegexNode condition_node(RegexCondition condition) {
  return {.kind = Kind::condition, .condition = condition};
}

// Recursive descent. The first error stays in error_ and ends every loop; nodes made after it are dropped.
class Parser {
 public:
  explicit Parser(std::string_view pattern) : pattern_(pattern) {}

  Result<RegexTree, std::string> parse() {
    read_options();
    RegexTree tree;
    if (!failed()) tree.root = is_literal_ ? literal() : choice(0);
    if (!failed() && at_ < pattern_.size()) fail("a closing parenthesis has no opening one");
    if (failed()) return Unexpected(*std::move(error_));
    tree.has_group = groups_ > 0;
    return tree;
  }

 private:
  // "***:", "***=" and "(?letters)" are told at the very beginning only.
  void read_options() {
    if (pattern_.starts_with("***=")) {
      at_ = 4;
      is_literal_ = true;
      return;
    }
    if (pattern_.starts_with("***:")) at_ = 4;
    const std::string_view rest = pattern_.substr(at_);
    if (rest.size() < 3 || !rest.starts_with("(?") || !is_letter(rest[2])) return;
    for (at_ += 2; at_ < pattern_.size() && is_letter(pattern_[at_]); ++at_) option(pattern_[at_]);
    if (!take(')')) fail("the options at the beginning, (?…), have no closing parenthesis");
  }

  void option(char c) {
    switch (c) {
      case 'c':
      case 'i':
        ignores_case_ = c == 'i';
        break;
      case 'm':
      case 'n':
        newline_stops_ = newline_anchors_ = true;
        break;
      case 'p':
        newline_stops_ = true;
        newline_anchors_ = false;
        break;
      case 'w':
        newline_stops_ = false;
        newline_anchors_ = true;
        break;
      case 's':
        newline_stops_ = newline_anchors_ = false;
        break;
      case 'q':
        is_literal_ = true;
        break;
      case 't':
        break;
      case 'b':
      case 'e':
      case 'x':
        fail(fmt::format("the option (?{}) is not supported; write the expression without it", c));
        break;
      default:
        fail(fmt::format("(?{}) is not an option of regular expressions", c));
    }
  }

  RegexNode literal() {
    RegexNode node{.kind = Kind::sequence};
    for (; at_ < pattern_.size(); ++at_) node.children.push_back(byte_node(pattern_[at_]));
    return node;
  }

  RegexNode byte_node(char c) const {
    ByteSet set;
    set.set(static_cast<unsigned char>(c));
    return set_node(ignores_case_ ? in_both_cases(set) : set);
  }

  RegexNode choice(int depth) {
    if (depth > regex_depth_max) return fail("parentheses are nested too deeply");
    RegexNode first = sequence(depth);
    if (failed() || !next_is('|')) return first;
    RegexNode node{.kind = Kind::choice};
    node.children.push_back(std::move(first));
    while (!failed() && take('|')) node.children.push_back(sequence(depth));
    for (const RegexNode& child : node.children) join_tastes(node, child);
    node.taste = RegexTaste::longest;
    return node;
  }

  RegexNode sequence(int depth) {
    RegexNode node{.kind = Kind::sequence};
    while (!failed() && at_ < pattern_.size() && !next_is('|') && !next_is(')')) {
      std::optional<RegexNode> part = piece(depth);
      if (!part) continue;  // a comment
      join_tastes(node, *part);
      node.children.push_back(*std::move(part));
    }
    return node;
  }

  std::optional<RegexNode> piece(int depth) {
    if (pattern_.substr(at_).starts_with("(?#")) {
      const std::size_t end = pattern_.find(')', at_);
      if (end == std::string_view::npos)
        return fail("the comment (?#…) has no closing parenthesis");
      at_ = end + 1;
      return std::nullopt;
    }
    RegexNode node = atom(depth);
    const bool can_repeat = node.kind != Kind::condition && node.kind != Kind::lookaround;
    if (failed() || !can_repeat) return node;
    return quantified(std::move(node));
  }

  RegexNode atom(int depth) {
    const char c = pattern_[at_++];
    switch (c) {
      case '(':
        return parentheses(depth);
      case '[':
        return bracket_or_word();
      case '\\':
        return escape();
      case '.':
        return set_node(newline_stops_ ? ~newline() : ~ByteSet{});
      case '^':
        return condition_node(newline_anchors_ ? RegexCondition::line_begin
                                               : RegexCondition::text_begin);
      case '$':
        return condition_node(newline_anchors_ ? RegexCondition::line_end
                                               : RegexCondition::text_end);
      case '*':
      case '+':
      case '?':
        return fail(fmt::format("the quantifier {} has nothing before it to repeat", c));
      case '{':
        if (at_ < pattern_.size() && is_digit(pattern_[at_])) {
          return fail("the bound {…} has nothing before it to repeat");
        }
        return byte_node(c);
      default:
        return byte_node(c);
    }
  }

  RegexNode parentheses(int depth) {
    RegexNode node{.kind = Kind::group};
    bool is_capturing = !is_in_lookaround_;
    if (take('?')) {
      is_capturing = false;
      if (take('<')) {
        node.kind = Kind::lookaround;
        node.is_behind = true;
      }
      if (next_is('=') || next_is('!')) {
        node.kind = Kind::lookaround;
        node.is_negative = pattern_[at_] == '!';
      } else if (node.is_behind || !next_is(':')) {
        return fail("(? is followed by none of : = ! <= <! #");
      }
      ++at_;
    }
    const bool is_first = is_capturing && ++groups_ == 1;
    const bool was_in_lookaround =
        std::exchange(is_in_lookaround_, is_in_lookaround_ || node.kind == Kind::lookaround);
    RegexNode inner = choice(depth + 1);
    is_in_lookaround_ = was_in_lookaround;
    if (!failed() && !take(')')) return fail("a parenthesis is not closed");
    if (!is_capturing && node.kind == Kind::group) return inner;
    if (node.kind == Kind::group) {
      node.taste = inner.taste;
      node.is_mixed = inner.is_mixed;
      node.holds_group = is_first || inner.holds_group;
    }
    node.children.push_back(std::move(inner));
    return node;
  }

  RegexNode escape() {
    auto read = read_regex_escape(pattern_, at_, groups_);
    if (!read) return fail(std::move(read).error());
    switch (read->kind) {
      case RegexEscape::Kind::byte:
        return byte_node(static_cast<char>(read->byte));
      case RegexEscape::Kind::set:
        return set_node(read->set);
      case RegexEscape::Kind::condition:
        return condition_node(read->condition);
    }
    return {};
  }

  // [[:<:]] and [[:>:]] are no brackets but the beginning and the end of a word.
  RegexNode bracket_or_word() {
    const std::string_view rest = pattern_.substr(at_);
    const bool is_begin = rest.starts_with("[:<:]]");
    if (is_begin || rest.starts_with("[:>:]]")) {
      at_ += 6;
      return condition_node(is_begin ? RegexCondition::word_begin : RegexCondition::word_end);
    }
    const bool is_complement = take('^');
    ByteSet set;
    bool is_first = true;
    while (!failed() && (is_first || !next_is(']'))) {
      if (at_ == pattern_.size()) return fail("a bracket [ is not closed");
      bracket_part(set, is_first);
      is_first = false;
    }
    if (failed()) return {};
    ++at_;
    if (ignores_case_) set = in_both_cases(set);
    if (is_complement) set = newline_stops_ ? ~(set | newline()) : ~set;
    return set_node(set);
  }

  void bracket_part(ByteSet& set, bool is_first) {
    const bool is_dash = next_is('-');
    if (is_dash && !is_first && !pattern_.substr(at_).starts_with("-]")) {
      fail("a range in brackets has no beginning; a - itself stands first or last");
      return;
    }
    const auto first = bracket_element(set);
    if (!first) return;  // a class, or an error
    unsigned last = *first;
    const bool is_range = next_is('-') && !pattern_.substr(at_).starts_with("-]");
    if (is_range) {
      ++at_;
      if (at_ == pattern_.size()) return;  // told by the caller
      ByteSet unwanted;
      const auto end = next_is(']') ? std::nullopt : bracket_element(unwanted);
      if (!end) {
        if (!failed()) fail("a range in brackets ends with a class");
        return;
      }
      last = *end;
    }
    if (last < *first) {
      fail("a range in brackets ends before it begins");
      return;
    }
    set |= byte_range(*first, last);
  }

  // A byte; or nothing, and what it stands for is in `set`.
  std::optional<unsigned> bracket_element(ByteSet& set) {
    const char c = pattern_[at_++];
    if (c == '\\') {
      auto read = read_regex_escape(pattern_, at_, groups_);
      if (!read) {
        fail(std::move(read).error());
      } else if (read->kind == RegexEscape::Kind::byte) {
        return read->byte;
      } else if (read->kind == RegexEscape::Kind::set) {
        set |= read->set;
      } else {
        fail("an escape in brackets is no character");
      }
      return std::nullopt;
    }
    const bool is_named = c == '[' && (next_is(':') || next_is('.') || next_is('='));
    if (!is_named) return static_cast<unsigned char>(c);
    return named_element(set, pattern_[at_++]);
  }

  // [:class:], [.x.] or [=x=], from behind its first two characters.
  std::optional<unsigned> named_element(ByteSet& set, char kind) {
    const std::string closing{kind, ']'};
    const std::size_t end = pattern_.find(closing, at_);
    if (end == std::string_view::npos) {
      fail(fmt::format("[{} in brackets is not closed by {}", kind, closing));
      return std::nullopt;
    }
    const std::string_view name = pattern_.substr(at_, end - at_);
    at_ = end + 2;
    if (kind == ':') {
      const auto known = named_class(name);
      if (!known) {
        fail(fmt::format("[:{}:] is not a character class", name));
        return std::nullopt;
      }
      set |= *known;
      return std::nullopt;
    }
    if (name.size() != 1) {
      fail(fmt::format("[{0}{1}{0}]: only single characters are known as collating elements", kind,
                       name));
      return std::nullopt;
    }
    if (kind == '.') return static_cast<unsigned char>(name[0]);
    set.set(static_cast<unsigned char>(name[0]));
    return std::nullopt;
  }

  RegexNode quantified(RegexNode node) {
    std::uint32_t min = 0;
    std::uint32_t max = regex_unbounded;
    bool is_exact = false;
    if (take('*')) {
    } else if (take('+')) {
      min = 1;
    } else if (take('?')) {
      max = 1;
    } else if (next_is('{') && at_ + 1 < pattern_.size() && is_digit(pattern_[at_ + 1])) {
      ++at_;
      if (!bound(min, max, is_exact)) return {};
    } else {
      return node;
    }
    const bool is_greedy = !take('?');
    RegexNode repeat{.kind = Kind::repeat, .min = min, .max = max};
    if (!is_exact) repeat.taste = taste_of(is_greedy);
    join_tastes(repeat, node);
    repeat.children.push_back(std::move(node));
    return repeat;
  }

  // m}, m,} or m,n}
  bool bound(std::uint32_t& min, std::uint32_t& max, bool& is_exact) {
    bool is_good = count(min);
    is_exact = !take(',');
    if (is_exact) {
      max = min;
    } else if (!next_is('}')) {
      is_good = is_good && count(max);
    }
    is_good = is_good && min <= max && take('}');
    if (!is_good)
      fail("a bound is {m}, {m,} or {m,n}, with m and n from 0 to 255 and m not above n");
    return is_good;
  }

  bool count(std::uint32_t& value) {
    value = 0;
    const std::size_t start = at_;
    for (; at_ < pattern_.size() && is_digit(pattern_[at_]) && value <= regex_repeat_max; ++at_) {
      value = value * 10 + static_cast<std::uint32_t>(pattern_[at_] - '0');
    }
    return at_ > start && value <= regex_repeat_max;
  }

  [[nodiscard]] static ByteSet newline() { return byte_range('\n', '\n'); }
  [[nodiscard]] bool next_is(char c) const { return at_ < pattern_.size() && pattern_[at_] == c; }
  bool take(char c) {
    if (!next_is(c)) return false;
    ++at_;
    return true;
  }

  [[nodiscard]] bool failed() const { return error_.has_value(); }
  RegexNode fail(std::string message) {
    if (!error_) error_ = std::move(message);
    return {};
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  std::optional<std::string> error_;
  unsigned groups_ = 0;
  bool is_in_lookaround_ = false;
  bool is_literal_ = false;
  bool ignores_case_ = false;
  bool newline_stops_ = false;
  bool newline_anchors_ = false;
};

}  // namespace

Result<RegexTree, std::string> parse_regex(std::string_view pattern) {
  return Parser(pattern).parse();
}

}  // namespace pgring
