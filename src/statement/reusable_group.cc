#include "src/statement/reusable_group.h"

#include "wire/byte_reader.h"
#include "wire/extended_query.h"
#include "wire/message_type.h"

namespace pgring {
namespace {

namespace frontend = wire::frontend;

// Whether the message says something of this statement, or of a portal.
bool is_about(char type, std::span<const std::byte> body, std::string_view name) {
  switch (type) {
    case frontend::Bind: {
      const auto names = wire::read_bind_names(body);
      return names && names->statement == name;
    }
    case frontend::Describe: {
      const auto target = wire::read_target(body);
      return target && (target->kind == 'P' || (target->kind == 'S' && target->name == name));
    }
    case frontend::Close: {
      const auto target = wire::read_target(body);
      return target && target->kind == 'P';
    }
    case frontend::Execute:
      return true;
    case frontend::Flush:
      return body.empty();
    default:
      return false;
  }
}

bool names_statement(char type, std::span<const std::byte> body) {
  return type == frontend::Bind ||
         (type == frontend::Describe && !body.empty() && body.front() == std::byte{'S'});
}

}  // namespace

std::optional<ReusableGroup> read_reusable_group(std::span<const std::byte> rest,
                                                 std::string_view name) {
  constexpr std::size_t header_size = 5;
  if (rest.size() > reusable_group_max) return std::nullopt;
  ReusableGroup group;
  for (bool first = true;; first = false) {
    wire::ByteReader header{rest.first(rest.size() < header_size ? 0 : header_size)};
    const char type = static_cast<char>(header.read_u8());
    const std::uint64_t size = std::uint64_t{1} + header.read_u32();
    if (!header.ok() || size < header_size || size > rest.size()) return std::nullopt;
    const auto body = rest.subspan(header_size, static_cast<std::size_t>(size) - header_size);
    rest = rest.subspan(static_cast<std::size_t>(size));
    if (type == frontend::Sync) {
      if (first || !body.empty() || !rest.empty()) return std::nullopt;
      return group;
    }
    if (!is_about(type, body, name)) return std::nullopt;
    if (first && !names_statement(type, body)) return std::nullopt;
    if (type == frontend::Bind) ++group.binds;
  }
}

}  // namespace pgring
