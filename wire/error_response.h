// error_response.h: the fields of ErrorResponse and NoticeResponse, to write and to read.
//
// Life:   ErrorFields borrows its text; ParsedError owns it.
// Errors: a body that is not a list of fields with a terminator yields nullopt. A body that lacks
//         fields is not an error: what is absent is empty (CVE-2026-6666).
// Source: PostgreSQL docs protocol-error-fields, "Error and Notice Message Fields".
#ifndef WIRE_ERROR_RESPONSE_H_
#define WIRE_ERROR_RESPONSE_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace wire {

struct ErrorFields {
  std::string_view severity;  // "ERROR", "FATAL", "PANIC"; "NOTICE", "WARNING" … in a notice
  std::string_view sqlstate;  // five characters, see sqlstate.h
  std::string_view message;
  std::string_view detail;        // empty: not sent
  std::string_view hint;          // empty: not sent
  std::string_view routine = {};  // of PostgreSQL, where drivers go by it; empty: not sent
};

struct ParsedError {
  std::string severity;  // the one PostgreSQL never translates (field V) where the server sends it
  std::string sqlstate;  // empty unless it is five digits or capital letters
  std::string message;
  std::string detail;
  std::string hint;
  std::string routine;  // the C function that raised it
};

// `body` is the message without type byte and length.
[[nodiscard]] std::optional<ParsedError> parse_error_response(std::span<const std::byte> body);

}  // namespace wire

#endif  // WIRE_ERROR_RESPONSE_H_
