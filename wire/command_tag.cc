#include "wire/command_tag.h"

#include "wire/byte_reader.h"

namespace wire {

std::optional<std::string_view> parse_command_complete(std::span<const std::byte> body) noexcept {
  ByteReader reader(body);
  const std::optional<std::string_view> tag = reader.read_cstring();
  if (!reader.at_end()) return std::nullopt;
  return tag;
}

std::string_view command_tag_word(std::string_view tag) noexcept {
  return tag.substr(0, tag.find(' '));
}

bool command_tag_is(std::string_view tag, std::string_view word) noexcept {
  return command_tag_word(tag) == word;
}

}  // namespace wire
