// Ident: which names of the outside may log in as which roles: PostgreSQL's pg_ident.conf.
//
// What:   load_ident reads a file and all it includes; Ident::match answers whether a name that the
//         method peer or cert has proven may be the role that the client asked for.
// Owner:  the configuration snapshot. Constant after load_ident(); any number of threads may match.
// Units:  names in bytes, upper and lower case differ.
// Errors: load_ident gives all errors at once, and no maps if there is one. Matching cannot fail and
//         allocates nothing.
// Source: PostgreSQL docs, auth-username-maps; its src/backend/libpq/hba.c of version 18.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/auth/auth_file.h"
#include "src/auth/hba.h"
#include "src/auth/membership.h"
#include "src/auth/name_list.h"
#include "src/auth/regex.h"
#include "src/base/diagnostic.h"
#include "src/base/result.h"

namespace pgring {

struct IdentRule {
  std::string file;
  std::uint32_t line = 0;
  std::string map;
  std::string system_name;  // as it is written; plain if there is no regex
  std::optional<Regex> system_regex;
  NameList role;
  // Of a role with \1 in it, what is before and behind; then `role` is not used.
  bool has_substitution = false;
  std::string before;
  std::string behind;
};

struct IdentMatch {
  enum class Kind : std::uint8_t {
    none,              // the name may not be that role
    rule,              // it may, by `rule`; or the map's name is empty and the names are equal
    needs_membership,  // ask again when it is known whether the role is in `group`
  };
  Kind kind = Kind::none;
  const IdentRule* rule = nullptr;
  std::string_view group;
};

class Ident {
 public:
  Ident() = default;  // no maps
  explicit Ident(std::vector<IdentRule> rules) : rules_(std::move(rules)) {}

  [[nodiscard]] const std::vector<IdentRule>& rules() const { return rules_; }
  [[nodiscard]] bool has_map(std::string_view map) const;

  // `map` is HbaOptions::map; an empty one wants both names equal.
  [[nodiscard]] IdentMatch match(std::string_view map, std::string_view system_name,
                                 std::string_view role, const Membership& membership) const;

 private:
  std::vector<IdentRule> rules_;
};

// A file without any line is a good one.
[[nodiscard]] Result<Ident, Diagnostics> load_ident(const std::string& path, AuthFiles& files);

// One warning for each rule of `hba` whose map is not in `ident`: nobody can log in by it.
[[nodiscard]] Diagnostics warn_of_unknown_maps(const Hba& hba, const Ident& ident);

}  // namespace pgring
