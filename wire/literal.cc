#include "wire/literal.h"

namespace wire {
namespace {

void append_hex_escape(std::string& out, unsigned char byte) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  // Two digits always: PostgreSQL takes at most two, so what follows cannot be drawn in.
  out.append("\\x");
  out.push_back(digits[byte >> 4]);
  out.push_back(digits[byte & 15]);
}

}  // namespace

void append_escape_string(std::string& out, std::string_view value) {
  out.append("E'");
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f) {
      append_hex_escape(out, byte);
      continue;
    }
    if (c == '\'' || c == '\\') out.push_back(c);
    out.push_back(c);
  }
  out.push_back('\'');
}

void append_quoted_identifier(std::string& out, std::string_view name) {
  out.push_back('"');
  for (const char c : name) {
    if (c == '"') out.push_back(c);
    out.push_back(c);
  }
  out.push_back('"');
}

}  // namespace wire
