// The userlist: role names and their secrets, in PgBouncer's auth_file format.
//
// What:   reads lines of "role" "secret"; inside quotes "" stands for one quote; ; and # begin a
//         comment; what follows the second field on a line is ignored, as PgBouncer does.
// Life:   read at start and on reload; the result belongs to the configuration snapshot.
// Errors: every bad line is reported with line and column, all at once; a file with one error
//         gives no users at all. Diagnostics never show the file's text.
// Source: PgBouncer documentation, "Authentication file format".
#pragma once

#include <string_view>

#include "src/auth/stored_secret.h"
#include "src/base/diagnostic.h"
#include "src/base/result.h"

namespace pgring {

[[nodiscard]] Result<UserList, Diagnostics> parse_userlist(std::string_view text,
                                                           std::string_view file);

// One role and secret as a userlist line (without line end): the inverse of parse_userlist.
[[nodiscard]] Secret format_userlist_line(std::string_view role, const Secret& secret);

}  // namespace pgring
