// message_builder.h: writes whole protocol messages into a string.
//
// What:   MessageBuilder writes any message field by field; the append_… functions below it write
//         the ones pgring sends, one call each. For cold paths: login, console, errors.
// Owner:  the caller; no thread of its own.
// Errors: a message longer than the length word can say is taken back and reported by end().
//         The append_… functions are for our own short texts and abort on that (WIRE_CHECK).
//         A cstring is cut at its first zero byte: what followed would be read as further fields.
// Source: PostgreSQL docs protocol-message-formats, "Message Formats".
#ifndef WIRE_MESSAGE_BUILDER_H_
#define WIRE_MESSAGE_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "wire/error_response.h"
#include "wire/name_value.h"

namespace wire {

class MessageBuilder {
 public:
  MessageBuilder() = default;
  // Appends to what `out` holds already; take() gives it back with the messages added.
  explicit MessageBuilder(std::string out) noexcept : out_(std::move(out)) {}

  void begin(char type);
  void begin_untyped();  // StartupMessage, SSLRequest, CancelRequest have no type byte

  // REQUIRES: between begin and end.
  void put_u8(std::uint8_t value);
  void put_u16(std::uint16_t value);
  void put_u32(std::uint32_t value);
  void put_cstring(std::string_view text);
  void put_bytes(std::string_view bytes);
  void put_bytes(std::span<const std::byte> bytes);

  // Writes the length. False: longer than a message can be; it is removed again.
  [[nodiscard]] bool end();

  // REQUIRES: no message is open.
  [[nodiscard]] std::string take();
  [[nodiscard]] std::string_view view() const;

 private:
  std::string out_;
  std::size_t message_start_ = 0;
  std::optional<std::size_t> length_at_;  // where the length of the open message stands
};

// Protocol versions: major in the upper half, minor in the lower.
inline constexpr std::uint32_t protocol_version_3_0 = 3u << 16;
inline constexpr std::uint32_t protocol_version_3_2 = protocol_version_3_0 | 2u;

struct ColumnDescription {
  std::string_view name;
  std::uint32_t type_oid;
  std::int16_t type_size;  // -1: variable
};

// What a server sends (backend_message.cc).

// A missing severity is sent as ERROR (NOTICE in a notice), a missing SQLSTATE as XX000 (00000):
// clients rely on both being there.
// A message of which the body is there already.
void append_message(std::string& out, char type, std::span<const std::byte> body);
void append_error_response(std::string& out, const ErrorFields& fields);
void append_notice_response(std::string& out, const ErrorFields& fields);
void append_ready_for_query(std::string& out, char status);  // 'I', 'T' or 'E'
void append_parameter_status(std::string& out, std::string_view name, std::string_view value);
void append_authentication_ok(std::string& out);
void append_authentication_cleartext(std::string& out);
void append_authentication_md5(std::string& out, std::span<const std::byte, 4> salt);
void append_authentication_sasl(std::string& out, std::span<const std::string_view> mechanisms);
void append_authentication_sasl_continue(std::string& out, std::string_view data);
void append_authentication_sasl_final(std::string& out, std::string_view data);
void append_backend_key_data(std::string& out, std::uint32_t pid,
                             std::span<const std::byte> secret);
// The minor of protocol 3 that is spoken from here on; of `options` the names are sent.
void append_negotiate_protocol_version(std::string& out, std::uint16_t minor,
                                       std::span<const NameValue> options);
void append_row_description(std::string& out, std::span<const ColumnDescription> columns);
void append_data_row(std::string& out, std::span<const std::optional<std::string_view>> values);
void append_command_complete(std::string& out, std::string_view tag);
void append_parse_complete(std::string& out);
void append_bind_complete(std::string& out);
void append_close_complete(std::string& out);
void append_no_data(std::string& out);
void append_parameter_description(std::string& out, std::span<const std::uint32_t> type_oids);
void append_empty_query(std::string& out);

// What a client sends (frontend_message.cc).

void append_startup(std::string& out, std::span<const NameValue> parameters,
                    std::uint32_t protocol);
void append_startup(std::string& out, std::span<const NameValue> parameters);  // protocol 3.0
void append_cancel_request(std::string& out, std::uint32_t pid, std::span<const std::byte> secret);
void append_query(std::string& out, std::string_view sql);
void append_sync(std::string& out);
void append_terminate(std::string& out);
void append_password_message(std::string& out, std::string_view text);
void append_sasl_initial_response(std::string& out, std::string_view mechanism,
                                  std::string_view data);
void append_sasl_response(std::string& out, std::string_view data);

}  // namespace wire

#endif  // WIRE_MESSAGE_BUILDER_H_
