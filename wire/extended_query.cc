#include "wire/extended_query.h"

#include <utility>

#include "wire/byte_reader.h"
#include "wire/message_scope.h"
#include "wire/message_type.h"

namespace wire {
namespace {

std::optional<ParseBody> read_text_and_types(ByteReader reader, std::string_view name) {
  const auto text = reader.read_cstring();
  const std::uint32_t count = reader.read_u16();
  if (!text || reader.remaining() != std::size_t{count} * 4) return std::nullopt;
  ParseBody parsed{.name = name, .text = *text, .types = {}};
  parsed.types.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) parsed.types.push_back(reader.read_u32());
  if (!reader.at_end()) return std::nullopt;
  return parsed;
}

void append_target(std::string& out, char type, Target target) {
  MessageScope message(out, type);
  message->put_u8(static_cast<std::uint8_t>(target.kind));
  message->put_cstring(target.name);
  message.finish();
}

}  // namespace

std::optional<ParseBody> read_parse(std::span<const std::byte> body) {
  ByteReader reader(body);
  const auto name = reader.read_cstring();
  if (!name) return std::nullopt;
  return read_text_and_types(reader, *name);
}

std::optional<ParseBody> read_unnamed_parse(std::span<const std::byte> body) {
  return read_text_and_types(ByteReader(body), {});
}

std::optional<BindNames> read_bind_names(std::span<const std::byte> body) {
  ByteReader reader(body);
  const auto portal = reader.read_cstring();
  if (!portal) return std::nullopt;
  const auto statement = reader.read_cstring();
  if (!statement) return std::nullopt;
  return BindNames{.portal = *portal,
                   .statement = *statement,
                   .size = static_cast<std::uint32_t>(portal->size() + statement->size() + 2)};
}

std::optional<Target> read_target(std::span<const std::byte> body) {
  ByteReader reader(body);
  const char kind = static_cast<char>(reader.read_u8());
  const auto name = reader.read_cstring();
  if (!name || !reader.at_end()) return std::nullopt;
  return Target{.kind = kind, .name = *name};
}

void append_parse(std::string& out, std::string_view name, std::string_view text,
                  std::span<const std::uint32_t> types) {
  MessageScope message(out, frontend::Parse);
  message->put_cstring(name);
  message->put_cstring(text);
  message->put_u16(static_cast<std::uint16_t>(types.size()));
  for (const std::uint32_t type : types) message->put_u32(type);
  message.finish();
}

void append_bind_beginning(std::string& out, std::string_view portal, std::string_view statement,
                           std::uint64_t size, std::uint32_t names_size) {
  const std::uint64_t length = size - 1 - names_size + portal.size() + statement.size() + 2;
  const std::size_t start = out.size();
  out.resize(start + 5 + portal.size() + statement.size() + 2);
  char* at = out.data() + start;
  *at++ = frontend::Bind;
  for (int shift = 24; shift >= 0; shift -= 8)
    *at++ = static_cast<char>(static_cast<std::uint8_t>(length >> shift));
  at += portal.copy(at, portal.size());
  *at++ = '\0';
  at += statement.copy(at, statement.size());
  *at = '\0';
}

void append_bind(std::string& out, std::string_view portal, std::string_view statement) {
  MessageScope message(out, frontend::Bind);
  message->put_cstring(portal);
  message->put_cstring(statement);
  message->put_u16(0);
  message->put_u16(0);
  message->put_u16(0);
  message.finish();
}

void append_describe(std::string& out, Target target) {
  append_target(out, frontend::Describe, target);
}

void append_close(std::string& out, Target target) { append_target(out, frontend::Close, target); }

void append_flush(std::string& out) {
  MessageScope message(out, frontend::Flush);
  message.finish();
}

}  // namespace wire
