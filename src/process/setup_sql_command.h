// `pgring setup-sql [ROLE]`: the SQL that lets a role of its own look secrets up, for auth.query.
//
// What:   a role with no other right, and a function with its owner's rights that tells one role's secret: everything
//         in it is written with its schema, its search_path is fixed, and nobody but that role may call it. Run twice
//         it changes nothing.
// Source: PostgreSQL docs, sql-createfunction, "Writing SECURITY DEFINER Functions Safely".
#pragma once

#include <string>
#include <string_view>

namespace pgring {

inline constexpr std::string_view setup_role_usual = "pgring_auth";

// Not empty, not longer than PostgreSQL's names, and nothing in it that would end a comment or a dollar quote.
[[nodiscard]] bool is_setup_role(std::string_view role);

// REQUIRES: is_setup_role().
[[nodiscard]] std::string setup_sql(std::string_view role);

}  // namespace pgring
