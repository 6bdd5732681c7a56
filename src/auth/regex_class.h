// The sets of bytes that a regular expression can name.
//
// What:   classes as the C locale has them: bytes from 128 belong to none.
// Source: PostgreSQL docs, posix-bracket-expressions, posix-class-shorthand-escapes-table.
#pragma once

#include <optional>
#include <string_view>

#include "src/auth/regex_program.h"

namespace pgring {

// "alpha", "digit" … as in [[:alpha:]].
[[nodiscard]] std::optional<ByteSet> named_class(std::string_view name);

// Each letter in both cases.
[[nodiscard]] ByteSet in_both_cases(const ByteSet& set);

[[nodiscard]] ByteSet byte_range(unsigned first, unsigned last);

}  // namespace pgring
