#include "src/auth/name_list.h"

#include <fmt/format.h>

#include <algorithm>

namespace pgring {

Result<void, std::string> NameList::add(const AuthToken& token, Of of) {
  const bool is_role = of == Of::roles;
  if (token.text.starts_with('/')) {  // in quotes too
    auto regex = Regex::compile(std::string_view(token.text).substr(1));
    if (!regex) return Unexpected(std::move(regex).error());
    regexes_.push_back(*std::move(regex));
  } else if (is_role && !token.is_quoted && token.text.starts_with('+')) {
    groups_.push_back(token.text.substr(1));
  } else if (token.is_keyword("all")) {
    has_all_ = true;
  } else if (!is_role && token.is_keyword("sameuser")) {
    has_sameuser_ = true;
  } else if (!is_role && (token.is_keyword("samerole") || token.is_keyword("samegroup"))) {
    has_samerole_ = true;
  } else if (!is_role && token.is_keyword("replication")) {
    has_replication_ = true;
  } else {
    names_.push_back(token.text);
  }
  return {};
}

void NameList::finish() { std::sort(names_.begin(), names_.end()); }

bool NameList::has_name(std::string_view name) const {
  if (std::binary_search(names_.begin(), names_.end(), name, std::less<>())) return true;
  return std::any_of(regexes_.begin(), regexes_.end(),
                     [&](const Regex& regex) { return regex.matches(name); });
}

NameList::Answer NameList::has_role(std::string_view role, const Membership& membership) const {
  if (has_all_ || has_name(role)) return {Known::yes, {}};
  Answer answer;
  for (const std::string& group : groups_) {
    const Known known = membership.is_member(role, group);
    if (known == Known::yes) return {Known::yes, {}};
    if (known == Known::unknown && answer.known == Known::no) answer = {Known::unknown, group};
  }
  return answer;
}

NameList::Answer NameList::has_database(std::string_view database, std::string_view role,
                                        const Membership& membership) const {
  if (has_all_ || (has_sameuser_ && database == role) || has_name(database))
    return {Known::yes, {}};
  if (!has_samerole_) return {};
  return {membership.is_member(role, database), database};
}

}  // namespace pgring
