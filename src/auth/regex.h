// Regex: PostgreSQL's advanced regular expressions, for names in hba and ident files.
//
// What:   the dialect of PostgreSQL's files ("/" and an expression), matched byte by byte as PostgreSQL
//         does while it authenticates (encoding SQL_ASCII, collation C). Escapes, brackets, bounds,
//         lookaround, word boundaries and the options (?i…) are there; back-references are not, the one
//         thing that cannot be matched in bounded time; nor are (?b), (?e), (?x), whose syntax differs.
// Why:    an own engine: docs/architecture.md, "Who gets in".
// Owner:  the rule it belongs to. Constant after compile(); matching allocates nothing, takes time
//         linear in the subject (times the size of the expression) and at most 64 KiB of stack.
// Errors: compile() says what is wrong with the expression. Matching cannot fail.
// Source: PostgreSQL docs, functions-posix-regexp, "Regular Expression Details".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "src/auth/regex_program.h"
#include "src/base/result.h"

namespace pgring {

class Regex {
 public:
  // `pattern` without the slash that makes it one in a file.
  [[nodiscard]] static Result<Regex, std::string> compile(std::string_view pattern);

  // Whether it matches anywhere in `subject`. REQUIRES: at most regex_subject_max bytes.
  [[nodiscard]] bool matches(std::string_view subject) const;

  // Whether find_group can tell: there are capturing parentheses, and the first are not repeated.
  [[nodiscard]] bool has_group() const { return program_.has_group; }
  [[nodiscard]] bool group_is_repeated() const { return program_.group_is_repeated; }

  // What the first parentheses matched; nothing if the expression does not match, or not by way of them.
  // REQUIRES: has_group(), !group_is_repeated(), at most regex_subject_max bytes.
  [[nodiscard]] std::optional<std::string_view> find_group(std::string_view subject) const;

 private:
  explicit Regex(RegexProgram program) : program_(std::move(program)) {}

  RegexProgram program_;
};

}  // namespace pgring
