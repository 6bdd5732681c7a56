#include "wire/error_response.h"

#include <algorithm>

#include "wire/byte_reader.h"

namespace wire {
namespace {

bool is_sqlstate(std::string_view text) {
  const auto legal = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z'); };
  return text.size() == 5 && std::all_of(text.begin(), text.end(), legal);
}

// Field types that mean nothing to us are skipped, as the protocol demands.
void store_field(ParsedError& error, std::uint8_t type, std::string_view value) {
  switch (type) {
    case 'S':  // 'V' follows 'S' and wins; only servers before 9.6 send 'S' alone
    case 'V':
      error.severity = value;
      return;
    case 'C':
      if (is_sqlstate(value)) error.sqlstate = value;
      return;
    case 'M':
      error.message = value;
      return;
    case 'D':
      error.detail = value;
      return;
    case 'H':
      error.hint = value;
      return;
    case 'R':
      error.routine = value;
      return;
    default:
      return;
  }
}

}  // namespace

std::optional<ParsedError> parse_error_response(std::span<const std::byte> body) {
  ParsedError error;
  ByteReader reader(body);
  while (reader.ok()) {
    const std::uint8_t type = reader.read_u8();
    if (type == 0) break;  // the terminator, or the end of a body that lacks it
    const std::optional<std::string_view> value = reader.read_cstring();
    if (value) store_field(error, type, *value);
  }
  if (!reader.at_end()) return std::nullopt;
  return error;
}

}  // namespace wire
