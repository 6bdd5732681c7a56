#include <algorithm>
#include <utility>

#include "src/auth/regex_syntax.h"

namespace pgring {
namespace {

// Order of the bytes: what looks ahead is run from the text's end, so that one pass finds all places.
enum class Order : std::uint8_t { forward, backward };

class Compiler {
 public:
  Result<RegexProgram, std::string> compile(RegexTree tree) {
    emit(tree.root, Order::forward);
    if (wrong_ != nullptr) return Unexpected(std::string(wrong_));
    program_.whole = tree.root.code;
    program_.taste = tree.root.taste;
    program_.has_group = tree.has_group;
    if (tree.has_group) plan(tree.root);
    return std::move(program_);
  }

 private:
  [[nodiscard]] std::uint16_t here() const {
    return static_cast<std::uint16_t>(program_.code.size());
  }

  // Beyond the limit nothing is stored: the program is thrown away then.
  std::uint16_t put(RegexOp op, std::uint16_t a = 0, std::uint16_t b = 0) {
    const std::uint16_t index = here();
    if (index >= regex_code_max) {
      wrong_ = "the regular expression is too large once its bounds are counted out";
    } else {
      program_.code.push_back({op, a, b});
    }
    return index;
  }

  void aim(std::uint16_t index, std::uint16_t a, std::uint16_t b) {
    if (wrong_ != nullptr) return;
    program_.code[index].a = a;
    program_.code[index].b = b;
  }

  void emit(RegexNode& node, Order order) {
    if (wrong_ != nullptr) return;
    node.code.begin = here();
    switch (node.kind) {
      case RegexNode::Kind::empty:
        break;
      case RegexNode::Kind::set:
        put(RegexOp::set, set_index(node.set));
        break;
      case RegexNode::Kind::sequence:
        emit_sequence(node, order);
        break;
      case RegexNode::Kind::choice:
        emit_choice(node, order);
        break;
      case RegexNode::Kind::repeat:
        emit_repeat(node, order);
        break;
      case RegexNode::Kind::group:
        emit(node.children.front(), order);
        break;
      case RegexNode::Kind::condition:
        put(RegexOp::condition, static_cast<std::uint16_t>(node.condition));
        break;
      case RegexNode::Kind::lookaround:
        emit_lookaround(node);
        break;
    }
    node.code.end = here();
  }

  std::uint16_t set_index(const ByteSet& set) {
    const auto found = std::find(program_.sets.begin(), program_.sets.end(), set);
    const auto index = static_cast<std::uint16_t>(found - program_.sets.begin());
    if (found == program_.sets.end()) program_.sets.push_back(set);
    return index;
  }

  void emit_sequence(RegexNode& node, Order order) {
    if (order == Order::forward) {
      for (RegexNode& child : node.children) emit(child, order);
    } else {
      for (auto child = node.children.rbegin(); child != node.children.rend(); ++child) {
        emit(*child, order);
      }
    }
  }

  void emit_choice(RegexNode& node, Order order) {
    std::vector<std::uint16_t> jumps;
    for (RegexNode& child : node.children) {
      const bool is_last = &child == &node.children.back();
      const std::uint16_t split = is_last ? 0 : put(RegexOp::split);
      emit(child, order);
      if (is_last) break;
      jumps.push_back(put(RegexOp::jump));
      aim(split, static_cast<std::uint16_t>(split + 1), here());
    }
    for (const std::uint16_t jump : jumps) aim(jump, here(), 0);
  }

  void emit_repeat(RegexNode& node, Order order) {
    RegexNode& child = node.children.front();
    std::uint16_t last = here();
    for (std::uint32_t i = 0; i < node.min && wrong_ == nullptr; ++i) {
      last = here();
      emit(child, order);
    }
    if (node.max == regex_unbounded && node.min > 0) {
      const std::uint16_t split = put(RegexOp::split);
      aim(split, last, here());
      return;
    }
    if (node.max == regex_unbounded) {
      const std::uint16_t split = put(RegexOp::split);
      emit(child, order);
      const std::uint16_t jump = put(RegexOp::jump);
      aim(jump, split, 0);
      aim(split, static_cast<std::uint16_t>(split + 1), here());
      return;
    }
    std::vector<std::uint16_t> splits;
    for (std::uint32_t i = node.min; i < node.max && wrong_ == nullptr; ++i) {
      splits.push_back(put(RegexOp::split));
      emit(child, order);
    }
    for (const std::uint16_t split : splits)
      aim(split, static_cast<std::uint16_t>(split + 1), here());
  }

  void emit_lookaround(RegexNode& node) {
    const std::uint16_t jump = put(RegexOp::jump);
    emit(node.children.front(), node.is_behind ? Order::forward : Order::backward);
    aim(jump, here(), 0);
    if (program_.lookarounds.size() == regex_lookaround_max) {
      wrong_ = "the regular expression has more than 16 lookahead and lookbehind constraints";
      return;
    }
    const auto index = static_cast<std::uint16_t>(program_.lookarounds.size());
    program_.lookarounds.push_back({node.children.front().code, node.is_behind});
    put(RegexOp::lookaround, index, node.is_negative ? 1 : 0);
  }

  // The way down to the first parentheses, as PostgreSQL finds what they matched (its regexec.c, dissect).
  void plan(const RegexNode& node) {
    switch (node.kind) {
      case RegexNode::Kind::sequence:
        return plan_sequence(node);
      case RegexNode::Kind::choice:
        return plan_choice(node);
      case RegexNode::Kind::repeat:
        program_.group_is_repeated = true;
        program_.steps.clear();
        return;
      case RegexNode::Kind::group:
      case RegexNode::Kind::empty:
      case RegexNode::Kind::set:
      case RegexNode::Kind::condition:
      case RegexNode::Kind::lookaround:
        return;  // arrived
    }
  }

  void plan_choice(const RegexNode& node) {
    RegexStep step{.kind = RegexStep::Kind::unless};
    for (const RegexNode& child : node.children) {
      if (!child.holds_group) {
        step.earlier.push_back(child.code);
        continue;
      }
      step.left = child.code;
      program_.steps.push_back(std::move(step));
      return plan(child);
    }
  }

  // What stands before the group is one part where all of it prefers the longest, or all the shortest.
  void plan_sequence(const RegexNode& node) {
    const std::uint16_t end = node.code.end;
    RegexFragment part{node.code.begin, node.code.begin};
    RegexTaste taste = RegexTaste::none;
    const auto skip = [&] {
      if (part.begin == part.end) return;
      program_.steps.push_back({RegexStep::Kind::skip, taste, part, {part.end, end}, {}});
      part.begin = part.end;
      taste = RegexTaste::none;
    };
    for (const RegexNode& child : node.children) {
      const bool disagrees =
          taste != RegexTaste::none && child.taste != RegexTaste::none && taste != child.taste;
      const bool is_apart = child.is_mixed || disagrees;
      if (is_apart || child.holds_group) skip();
      if (child.holds_group) {
        program_.steps.push_back(
            {RegexStep::Kind::enter, child.taste, child.code, {child.code.end, end}, {}});
        return plan(child);
      }
      part.end = child.code.end;
      if (taste == RegexTaste::none) taste = child.taste;
      if (is_apart) skip();
    }
  }

  RegexProgram program_;
  const char* wrong_ = nullptr;
};

}  // namespace

Result<RegexProgram, std::string> compile_regex(RegexTree tree) {
  return Compiler().compile(std::move(tree));
}

}  // namespace pgring
