#include "src/statement/shared_group.h"

#include "wire/byte_reader.h"
#include "wire/extended_query.h"
#include "wire/message_type.h"

namespace pgring {
namespace {

namespace frontend = wire::frontend;

struct Message {
  char type = 0;
  std::span<const std::byte> body;
};

// Takes the first message off. Nothing: it is not all here.
std::optional<Message> take_message(std::span<const std::byte>& rest) {
  constexpr std::size_t header_size = 5;
  wire::ByteReader header{rest.first(rest.size() < header_size ? 0 : header_size)};
  const char type = static_cast<char>(header.read_u8());
  const std::uint64_t size = std::uint64_t{1} + header.read_u32();
  if (!header.ok() || size < header_size || size > rest.size()) return std::nullopt;
  const Message message{
      .type = type,
      .body = rest.subspan(header_size, static_cast<std::size_t>(size) - header_size)};
  rest = rest.subspan(static_cast<std::size_t>(size));
  return message;
}

std::optional<SharedGroup> read_query(const Message& query, bool alone) {
  const std::string_view text = wire::as_text(query.body);
  if (!alone || text.empty() || text.find('\0') != text.size() - 1) return std::nullopt;
  return SharedGroup{.is_query = true, .text = text.substr(0, text.size() - 1)};
}

bool is_execute_to_the_end(std::span<const std::byte> body) {
  // The unnamed portal, no limit.
  constexpr std::string_view whole{"\0\0\0\0\0", 5};
  return wire::as_text(body) == whole;
}

}  // namespace

std::optional<SharedGroup> read_shared_group(std::span<const std::byte> rest) {
  if (rest.size() > shared_group_max) return std::nullopt;
  auto message = take_message(rest);
  if (!message) return std::nullopt;
  if (message->type == frontend::Query) return read_query(*message, rest.empty());
  SharedGroup group;
  if (message->type == frontend::Parse) {
    const auto parse = wire::read_parse(message->body);
    if (!parse || !parse->name.empty()) return std::nullopt;
    group.text = parse->text;
    message = take_message(rest);
    // What is told of a statement is told before it is bound.
    if (message && message->type == frontend::Describe) {
      const auto target = wire::read_target(message->body);
      if (!target || target->kind != 'S' || !target->name.empty()) return std::nullopt;
      message = take_message(rest);
    }
  }
  if (!message || message->type != frontend::Bind) return std::nullopt;
  const auto names = wire::read_bind_names(message->body);
  if (!names || !names->portal.empty()) return std::nullopt;
  if (group.text.data() != nullptr && !names->statement.empty()) return std::nullopt;
  group.statement = names->statement;
  message = take_message(rest);
  if (message && message->type == frontend::Describe) {
    const auto target = wire::read_target(message->body);
    if (!target || target->kind != 'P' || !target->name.empty()) return std::nullopt;
    message = take_message(rest);
  }
  if (!message || message->type != frontend::Execute || !is_execute_to_the_end(message->body))
    return std::nullopt;
  message = take_message(rest);
  if (!message || message->type != frontend::Sync || !message->body.empty() || !rest.empty())
    return std::nullopt;
  return group;
}

}  // namespace pgring
