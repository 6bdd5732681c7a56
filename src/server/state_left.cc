#include "src/server/state_left.h"

#include <algorithm>
#include <array>
#include <optional>

namespace pgring {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_integer(std::string_view value) {
  if (!value.empty() && value.front() == '-') value.remove_prefix(1);
  return !value.empty() && std::ranges::all_of(value, is_digit);
}

bool is_number(std::string_view value) {
  return !value.empty() && (is_digit(value.front()) || value.front() == '-' ||
                            value.front() == '+' || value.front() == '.');
}

// Letters and digits, in small letters: utf8 is UTF-8.
std::string core(std::string_view value) {
  std::string core;
  for (const char c : value) {
    if (c >= 'A' && c <= 'Z') {
      core += static_cast<char>(c - 'A' + 'a');
    } else if ((c >= 'a' && c <= 'z') || is_digit(c) || static_cast<unsigned char>(c) >= 0x80) {
      core += c;
    }
  }
  return core;
}

std::optional<bool> truth(std::string_view value) {
  constexpr std::array<std::string_view, 5> yes{"on", "true", "tru", "yes", "t"};
  constexpr std::array<std::string_view, 5> no{"off", "false", "fals", "no", "f"};
  if (std::ranges::find(yes, value) != yes.end()) return true;
  if (std::ranges::find(no, value) != no.end()) return false;
  return std::nullopt;
}

}  // namespace

std::string StateLeft::text() const {
  std::string text;
  for (const std::string& name : settings) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  if (!text.empty() && !pins.empty()) text += ", ";
  return text + pins.text();
}

bool surely_differs(std::string_view a, std::string_view b) {
  if (a == b) return false;
  if (is_integer(a) && is_integer(b)) return true;
  if (is_number(a) || is_number(b)) return false;
  const std::string core_a = core(a);
  const std::string core_b = core(b);
  if (const auto truth_a = truth(core_a), truth_b = truth(core_b); truth_a && truth_b)
    return *truth_a != *truth_b;
  return core_a != core_b;
}

std::vector<std::string> changed_settings(const ParameterList& before, const ParameterList& now) {
  std::vector<std::string> names;
  for (const Parameter& one : now) {
    const Parameter* const was = find_parameter(before, one.name);
    if (was == nullptr || surely_differs(was->value, one.value)) names.push_back(one.name);
  }
  for (const Parameter& one : before) {
    if (find_parameter(now, one.name) == nullptr) names.push_back(one.name);
  }
  return names;
}

}  // namespace pgring
