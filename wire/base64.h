// base64.h: base64 as SCRAM writes it: padded, no white space, one spelling per value.
//
// Errors: decode yields nullopt for anything but the canonical form.
// Source: RFC 4648 section 4; RFC 5802 section 5.1 forbids white space.
#ifndef WIRE_BASE64_H_
#define WIRE_BASE64_H_

#include <optional>
#include <string>
#include <string_view>

namespace wire {

[[nodiscard]] std::string base64_encode(std::string_view bytes);
[[nodiscard]] std::optional<std::string> base64_decode(std::string_view text);

}  // namespace wire

#endif  // WIRE_BASE64_H_
