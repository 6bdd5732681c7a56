#include "wire/startup_options.h"

#include <algorithm>
#include <utility>

#include "wire/sqlstate.h"

namespace wire {
namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Takes the next word off `rest`, its escapes resolved. Nullopt: only white space was left. A word
// may be empty: a backslash at the very end is one.
std::optional<std::string> next_word(std::string_view& rest) {
  while (!rest.empty() && is_space(rest.front())) rest.remove_prefix(1);
  if (rest.empty()) return std::nullopt;
  std::string word;
  while (!rest.empty() && !is_space(rest.front())) {
    if (rest.front() == '\\') {
      rest.remove_prefix(1);
      if (rest.empty()) break;
    }
    word.push_back(rest.front());
    rest.remove_prefix(1);
  }
  return word;
}

StartupError invalid_argument(std::string_view word) {
  return {sqlstate::syntax_error,
          "invalid command-line argument for server process: " + std::string(word)};
}

// `flag` is how the client wrote it ("-c " or "--"), for the message.
std::optional<StartupError> add_setting(std::string_view flag, std::string_view assignment,
                                        std::vector<StartupOption>& settings) {
  const std::size_t equals = assignment.find('=');
  StartupOption option;
  option.name = assignment.substr(0, equals);
  std::replace(option.name.begin(), option.name.end(), '-', '_');
  if (equals == std::string_view::npos) {
    return StartupError{sqlstate::syntax_error,
                        std::string(flag) + std::string(assignment) + " requires a value"};
  }
  if (option.name.empty()) {
    return StartupError{sqlstate::undefined_object, "unrecognized configuration parameter \"\""};
  }
  option.value = assignment.substr(equals + 1);
  settings.push_back(std::move(option));
  return std::nullopt;
}

// One word, and the next one too if it is a "-c" that stands alone.
std::optional<StartupError> parse_word(std::string_view word, std::string_view& rest,
                                       std::vector<StartupOption>& settings) {
  if (word.starts_with("--") && word.size() > 2) {
    return add_setting("--", word.substr(2), settings);
  }
  if (!word.starts_with("-c")) return invalid_argument(word);
  if (word.size() > 2) return add_setting("-c ", word.substr(2), settings);
  const std::optional<std::string> assignment = next_word(rest);
  if (!assignment) return invalid_argument(word);
  return add_setting("-c ", *assignment, settings);
}

}  // namespace

StartupOptions parse_startup_options(std::string_view options) {
  StartupOptions result;
  std::string_view rest = options;
  while (const std::optional<std::string> word = next_word(rest)) {
    result.error = parse_word(*word, rest, result.settings);
    if (!result.error) continue;
    result.settings.clear();
    break;
  }
  return result;
}

}  // namespace wire
