#include "src/auth/auth_secret_words.h"

#include <algorithm>
#include <array>

namespace pgring {
namespace {

constexpr std::array<std::string_view, 2> secret_words{"ldapbindpasswd", "radiussecrets"};

// Where the first secret's name ends.
std::size_t find_end_of_name(std::string_view line) {
  std::size_t end = std::string_view::npos;
  for (const std::string_view word : secret_words) {
    const std::size_t found = line.find(word);
    if (found != std::string_view::npos) end = std::min(end, found + word.size());
  }
  return end;
}

}  // namespace

bool names_auth_secret(std::string_view line) {
  return find_end_of_name(line) != std::string_view::npos;
}

std::string without_auth_secrets(std::string_view line) {
  const std::size_t end = find_end_of_name(line);
  if (end == std::string_view::npos) return std::string(line);
  return std::string(line.substr(0, end)) + "=***";
}

}  // namespace pgring
