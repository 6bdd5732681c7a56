#include "wire/parameter_status.h"

#include "wire/byte_reader.h"

namespace wire {

std::optional<NameValue> parse_parameter_status(std::span<const std::byte> body) noexcept {
  ByteReader reader(body);
  const std::optional<std::string_view> name = reader.read_cstring();
  const std::optional<std::string_view> value = reader.read_cstring();
  if (!reader.at_end() || name->empty()) return std::nullopt;
  return NameValue{*name, *value};
}

}  // namespace wire
