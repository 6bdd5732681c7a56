// UTF-8: how long the character at the front is, or that there is none.
//
// What:   strict decoding (no overlong forms, no surrogates, nothing above U+10FFFF).
// Errors: 0 means the first byte begins no valid character. Pure, any thread.
// Source: RFC 3629 section 4.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace pgring {

// 1 to 4 for a valid character at the front of `text`; 0 if it is empty or malformed there.
[[nodiscard]] std::size_t utf8_length(std::string_view text);

// `text` with a '?' for each byte that begins no valid character: what a client sent and is told again.
[[nodiscard]] std::string readable_utf8(std::string_view text);

// The beginning of `text`, at most `size_max` bytes of it, without the front half of a character.
[[nodiscard]] std::string_view utf8_prefix(std::string_view text, std::size_t size_max);

}  // namespace pgring
