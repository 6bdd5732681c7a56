// sql_fingerprint.h: SQL text known again, whatever its literals are.
//
// What:   texts that differ in literals, numbers of parameters, comments and how long their lists of literals are have one
//         fingerprint. Only for grouping: two texts may share one by chance, and where a literal ends is found
//         without a grammar, so that a text may have a fingerprint of its own for no good reason.
//         Hot path: one pass over the text, sixteen bytes at a time; nothing is allocated.
// Source: the idea is pg_stat_statements' queryid; PostgreSQL docs sql-syntax-lexical.
#ifndef WIRE_SQL_FINGERPRINT_H_
#define WIRE_SQL_FINGERPRINT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace wire {

// Never 0 but for a text that can call nothing: an empty one, or one statement that only begins or ends a transaction (what
// is deferred to its end was asked for by texts before), SET, RESET, SHOW or the like.
[[nodiscard]] std::uint64_t sql_fingerprint(std::string_view sql) noexcept;

// The beginning of the text in at most `size_max` bytes, "?" for each literal, without comments: fit for a log. No
// character is cut if the text is UTF-8.
[[nodiscard]] std::string without_literals(std::string_view sql, std::size_t size_max);

}  // namespace wire

#endif  // WIRE_SQL_FINGERPRINT_H_
