// sql_identifier.h: names in SQL text as PostgreSQL has them.
//
// Source: PostgreSQL docs "4.1.1. Identifiers and Key Words"; src/backend/parser/scansup.c
//         (downcase_identifier, truncate_identifier).
#ifndef WIRE_SQL_IDENTIFIER_H_
#define WIRE_SQL_IDENTIFIER_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "wire/sql_lexer.h"

namespace wire {

// NAMEDATALEN - 1.
inline constexpr std::size_t identifier_size_max = 63;

// The name that `token` of `lexer` is: unquoted in small letters (ASCII's), quoted with doubled quotes undone, cut at
// 63 bytes, and before a character of UTF-8 that would be cut in two. Nullopt: it is none, or one written U&"…".
[[nodiscard]] std::optional<std::string> identifier_of(const SqlLexer& lexer,
                                                       const SqlToken& token);

}  // namespace wire

#endif  // WIRE_SQL_IDENTIFIER_H_
