// command_tag.h: what CommandComplete says was done: "SELECT 1", "INSERT 0 5", "BEGIN".
//
// Life:   views into the body or tag given.
// Source: PostgreSQL docs protocol-message-formats, CommandComplete; src/include/tcop/cmdtaglist.h.
#ifndef WIRE_COMMAND_TAG_H_
#define WIRE_COMMAND_TAG_H_

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace wire {

// The tag of a CommandComplete body. Nullopt: not exactly one cstring.
[[nodiscard]] std::optional<std::string_view> parse_command_complete(
    std::span<const std::byte> body) noexcept;

// "INSERT" of "INSERT 0 5".
[[nodiscard]] std::string_view command_tag_word(std::string_view tag) noexcept;

// Whether `word` is the first word; tags are always in capitals.
[[nodiscard]] bool command_tag_is(std::string_view tag, std::string_view word) noexcept;

}  // namespace wire

#endif  // WIRE_COMMAND_TAG_H_
