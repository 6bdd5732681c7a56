// The extended protocol's bodies, a client's and a server's: any bytes are refused or read whole, and what was read can be
// written again.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>

#include "src/statement/statement.h"
#include "wire/byte_reader.h"
#include "wire/extended_query.h"
#include "wire/message_builder.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool is_body(std::string_view message, std::span<const std::byte> body) {
  return message.substr(5) == wire::as_text(body);
}

void parse(std::span<const std::byte> body) {
  std::string out;
  if (const auto named = wire::read_parse(body)) {
    wire::append_parse(out, named->name, named->text, named->types);
    require(is_body(out, body));
  }
  const auto unnamed = wire::read_unnamed_parse(body);
  if (!unnamed) return;
  out.clear();
  wire::append_parse(out, {}, unnamed->text, unnamed->types);
  require(is_body(out.substr(1), body));
}

void bind(std::span<const std::byte> body) {
  const auto names = wire::read_bind_names(body);
  if (!names) return;
  require(names->size == names->portal.size() + names->statement.size() + 2);
  require(names->size <= body.size());
  // Its own names give the same message; others change them and the length only.
  for (const std::string_view name :
       {names->statement, std::string_view{"pgring_18446744073709551615"}}) {
    std::string out;
    wire::append_bind_beginning(out, names->portal, name, 5 + body.size(), names->size);
    out += wire::as_text(body.subspan(names->size));
    wire::ByteReader header{out};
    require(header.read_u8() == 'B' && header.read_u32() == out.size() - 1);
    const auto again = wire::read_bind_names(wire::as_bytes(out).subspan(5));
    require(again && again->portal == names->portal && again->statement == name);
    if (name == names->statement) require(is_body(out, body));
  }
}

void target(std::span<const std::byte> body) {
  const auto read = wire::read_target(body);
  if (!read) return;
  std::string out;
  wire::append_describe(out, *read);
  require(is_body(out, body));
  out.clear();
  wire::append_close(out, *read);
  require(is_body(out, body));
}

void descriptions(std::span<const std::byte> body) {
  if (const auto types = pgring::parse_parameter_description(body)) {
    std::string out;
    wire::append_parameter_description(out, *types);
    require(is_body(out, body));
  }
  if (const auto columns = pgring::comparable_columns(body)) {
    // Of each column its name, a zero byte and 10 bytes are kept of its name, a zero byte and 18.
    const std::size_t count = wire::ByteReader{body}.read_u16();
    require(columns->size() == body.size() - 2 - count * 8 + 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span body = std::as_bytes(std::span{data, size});
  parse(body);
  bind(body);
  target(body);
  descriptions(body);
  return 0;
}
