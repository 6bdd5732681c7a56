// extended_query.h: the beginnings of the extended protocol's messages, as far as they name things.
//
// What:   reads Parse, Bind, Describe and Close, and writes the ones pgring adds or changes. Values of parameters are
//         never looked at.
// Life:   views live as long as the body they were read from.
// Errors: nothing, where a message is not well formed (PostgreSQL refuses it) or, for a Bind, where its names are not
//         all there yet.
// Source: PostgreSQL docs protocol-message-formats.
#ifndef WIRE_EXTENDED_QUERY_H_
#define WIRE_EXTENDED_QUERY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace wire {

struct ParseBody {
  std::string_view name;
  std::string_view text;
  std::vector<std::uint32_t> types;
};
[[nodiscard]] std::optional<ParseBody> read_parse(std::span<const std::byte> body);
// The part of a Parse's body that is behind its name.
[[nodiscard]] std::optional<ParseBody> read_unnamed_parse(std::span<const std::byte> body);

struct BindNames {
  std::string_view portal;
  std::string_view statement;
  std::uint32_t size = 0;  // of both, with their zero bytes
};
[[nodiscard]] std::optional<BindNames> read_bind_names(std::span<const std::byte> body);

// Of Describe and Close.
struct Target {
  char kind = 0;  // 'S': a statement; 'P': a portal
  std::string_view name;
};
[[nodiscard]] std::optional<Target> read_target(std::span<const std::byte> body);

void append_parse(std::string& out, std::string_view name, std::string_view text,
                  std::span<const std::uint32_t> types);
// The beginning of a Bind of `size` bytes (header included, with other names of `names_size` bytes); the rest of
// its body follows as it is. REQUIRES: the message is no longer than a message may be.
void append_bind_beginning(std::string& out, std::string_view portal, std::string_view statement,
                           std::uint64_t size, std::uint32_t names_size);
// No parameters, no result formats.
void append_bind(std::string& out, std::string_view portal, std::string_view statement);
void append_describe(std::string& out, Target target);
void append_close(std::string& out, Target target);
void append_flush(std::string& out);

}  // namespace wire

#endif  // WIRE_EXTENDED_QUERY_H_
