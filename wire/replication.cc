#include "wire/replication.h"

#include <algorithm>

namespace wire {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Whether `value` is `word` or begins it with at least `least` letters, whatever their case.
bool abbreviates(std::string_view value, std::string_view word, std::size_t least) {
  return value.size() >= least && value.size() <= word.size() &&
         std::equal(value.begin(), value.end(), word.begin(),
                    [](char a, char b) { return lower(a) == b; });
}

}  // namespace

std::optional<Replication> parse_replication(std::string_view value) noexcept {
  // This one word is not abbreviated, and is written small.
  if (value == "database") return Replication::logical;
  if (value == "1" || abbreviates(value, "true", 1) || abbreviates(value, "yes", 1) ||
      abbreviates(value, "on", 2)) {
    return Replication::physical;
  }
  if (value == "0" || abbreviates(value, "false", 1) || abbreviates(value, "no", 1) ||
      abbreviates(value, "off", 2)) {
    return Replication::none;
  }
  return std::nullopt;
}

}  // namespace wire
