// NameList: the databases or roles of an hba rule, or the database role of an ident map.
//
// What:   keywords, +groups, regular expressions and plain names; a name matches if any of them does.
// Life:   part of its rule. Constant once made.
// Errors: add() says what is wrong with a regular expression; matching cannot fail.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/auth/auth_file.h"
#include "src/auth/membership.h"
#include "src/auth/regex.h"
#include "src/base/result.h"

namespace pgring {

class NameList {
 public:
  enum class Of : std::uint8_t { databases, roles };

  // What is known, and where it is unknown, the group that decides.
  struct Answer {
    Known known = Known::no;
    std::string_view group;
  };

  // After the last add() comes one finish().
  [[nodiscard]] Result<void, std::string> add(const AuthToken& token, Of of);
  void finish();

  [[nodiscard]] Answer has_role(std::string_view role, const Membership& membership) const;
  [[nodiscard]] Answer has_database(std::string_view database, std::string_view role,
                                    const Membership& membership) const;
  // Whether physical replication, which has no database, is in it.
  [[nodiscard]] bool has_replication() const { return has_replication_; }

  [[nodiscard]] const std::vector<std::string>& groups() const { return groups_; }
  [[nodiscard]] bool has_samerole() const { return has_samerole_; }

 private:
  [[nodiscard]] bool has_name(std::string_view name) const;

  bool has_all_ = false;
  bool has_sameuser_ = false;
  bool has_samerole_ = false;
  bool has_replication_ = false;
  std::vector<std::string> names_;   // sorted
  std::vector<std::string> groups_;  // without the +
  std::vector<Regex> regexes_;
};

}  // namespace pgring
