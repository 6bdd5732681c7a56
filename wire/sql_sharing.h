// sql_sharing.h: may a text be in flight on a server connection together with other clients' texts? Hot path: once per
// Query and Parse that could share.
//
// What:   proves from the text that it is one statement which begins and ends its own transaction, and screens it for what it
//         may do to its session, and for what waits or takes long by its nature. In doubt it does not share. The words it
//         goes by are all in sql_sharing_words.h.
//         Not shown by a text, and left to the audit of session state and to time measured: what is behind views, rules, triggers,
//         row security, operators, casts, types, and a column that is a function's (t.f is f(t)).
//         A verdict is of this very text. Texts of one fingerprint (sql_fingerprint.h) may differ in it.
//         Nothing is allocated; one pass, or two where may_have_traits is true.
// Source: ../shared/CORRECTNESS.md 12 and 13; PostgreSQL docs sql-syntax-lexical, sql-keywords-appendix, functions;
//         src/backend/parser/gram.y.
#ifndef WIRE_SQL_SHARING_H_
#define WIRE_SQL_SHARING_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace wire {

// Longer texts do not share: they are kept until their first reply. In bytes.
inline constexpr std::size_t shared_text_size_max = std::size_t{16} * 1024;

enum class SharingMode : std::uint8_t {
  reads,  // only what is a read as far as its text says
  all,    // writes too, and functions that nothing is known of
};

enum class SqlForm : std::uint8_t {
  query,  // may hold several statements
  parse,  // PostgreSQL refuses several
};

struct SharingTerms {
  SharingMode mode = SharingMode::reads;
  SqlForm form = SqlForm::query;
  // Known to be on in the session. Otherwise a backslash in '…' makes a text unreadable.
  bool standard_conforming_strings = false;
  // A byte below 0x80 is that ASCII character in client_encoding (see sql_lexer.h).
  bool ascii_safe_encoding = true;
};

// By PostgreSQL's name of a client_encoding. Not for one that is not known.
[[nodiscard]] bool is_ascii_safe_encoding(std::string_view client_encoding) noexcept;

// Why not. The first that is found.
enum class SharingRefusal : std::uint8_t {
  none,
  // How it is written.
  too_long,
  unreadable,  // something is not closed, parentheses do not match or are too deep, a NUL
  backslash,   // in '…', and standard_conforming_strings is not known to be on
  encoding,    // other than ASCII, in an encoding whose bytes below 0x80 may be parts of characters
  escaped_name,  // U&, or a name that PostgreSQL may fold to another by its locale
  // Its shape.
  empty,
  several_statements,  // or, in a Query, a semicolon other than the last character
  transaction,         // BEGIN, COMMIT, SAVEPOINT, LOCK …
  unknown_statement,   // begins with no word that is known
  // What it leaves in the session, or relies on there.
  setting,
  session_state,
  prepared_statement,
  cursor,
  listen,
  temporary,
  advisory_lock,
  sequence_value,
  // What waits, takes long, or needs a connection alone for another reason.
  row_lock,  // FOR UPDATE and the like
  wait,
  remote,
  copy,
  definition,
  maintenance,
  utility,
  code,      // DO, CALL: anything
  sql_text,  // functions that take SQL as text
  server_control,
  large_object,
  large_result,  // its size is an argument's
  // Modes.
  write,             // not with SharingMode::reads
  unknown_function,  // likewise; with `all` only PostgreSQL's own that are not on the list
};

// Its name in SHOW SHARING: the enumerator's.
[[nodiscard]] std::string_view to_string(SharingRefusal refusal) noexcept;

struct SqlSharing {
  SharingRefusal refusal = SharingRefusal::none;
  // Of what shares: it is not a plain read. What it did may be noticed if it is run again.
  bool writes = false;
  // Of what shares: it calls known functions without naming pg_catalog. They are PostgreSQL's own only where no schema of
  // search_path has functions of those names, which fit other arguments better, or where such do no harm.
  bool unqualified = false;
  // Where in the text the refusal was found; length 0: no one place.
  std::size_t offset = 0;
  std::size_t length = 0;

  [[nodiscard]] bool shares() const noexcept { return refusal == SharingRefusal::none; }
  friend bool operator==(const SqlSharing&, const SqlSharing&) = default;
};

[[nodiscard]] SqlSharing sql_sharing(std::string_view sql, SharingTerms terms) noexcept;

}  // namespace wire

#endif  // WIRE_SQL_SHARING_H_
