// statement_hint.h: a cheap guess at what SQL text may do. Hot path: runs once per message.
//
// What:   may_change_settings is false only if the text itself cannot change a setting: it holds
//         none of "set" (SET, RESET, set_config), "discard", "load", "execute" (what a PREPARE
//         sent earlier holds) nor u&" (a name in escapes could spell set_config). True proves
//         nothing. Not seen, because no text shows it: what functions, triggers and DO bodies
//         do with strings they put together; FETCH from a cursor whose query calls set_config; and
//         COMMIT, ROLLBACK and errors, which undo SET LOCAL and SET. A caller that must know keeps
//         the hint of a transaction's texts until it ends.
// Source: PostgreSQL docs sql-set, sql-discard, sql-syntax-lexical.
#ifndef WIRE_STATEMENT_HINT_H_
#define WIRE_STATEMENT_HINT_H_

#include <string_view>

namespace wire {

[[nodiscard]] bool may_change_settings(std::string_view sql) noexcept;

// Whether RESET ALL stands somewhere in the text, if only in a string or a comment. Not hot: asked only of
// texts that may change settings.
[[nodiscard]] bool may_reset_all(std::string_view sql) noexcept;

}  // namespace wire

#endif  // WIRE_STATEMENT_HINT_H_
