// Membership: which role is in which, as far as it is known.
//
// What:   what +group and samerole in hba and ident files ask. PostgreSQL has the answer; whoever
//         implements this has asked it before and kept it.
// Errors: none: what is not known is `unknown`, and a role or group that does not exist is `no`.
#pragma once

#include <cstdint>
#include <string_view>

namespace pgring {

enum class Known : std::uint8_t { no, yes, unknown };

class Membership {
 public:
  Membership() = default;
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;
  virtual ~Membership() = default;

  // Whether `role` is `group` itself, or in it, directly or by way of others, whether it inherits or not.
  // A superuser is in no group by being one (PostgreSQL's is_member_of_role_nosuper, so not
  // pg_has_role). Called while a login is matched: must not block, nor allocate.
  [[nodiscard]] virtual Known is_member(std::string_view role, std::string_view group) const = 0;
};

}  // namespace pgring
