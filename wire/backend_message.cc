// backend_message.cc: the messages a server sends, declared in message_builder.h.
#include <limits>

#include "wire/authentication.h"
#include "wire/message_builder.h"
#include "wire/message_scope.h"
#include "wire/sqlstate.h"

namespace wire {
namespace {

void append_empty_message(std::string& out, char type) {
  MessageScope message(out, type);
  message.finish();
}

std::string_view or_else(std::string_view text, std::string_view fallback) {
  return text.empty() ? fallback : text;
}

void put_field(MessageScope& message, char type, std::string_view value) {
  message->put_u8(static_cast<std::uint8_t>(type));
  message->put_cstring(value);
}

void append_fields(std::string& out, char type, const ErrorFields& fields) {
  MessageScope message(out, type);
  put_field(message, 'S', fields.severity);
  put_field(message, 'V', fields.severity);
  put_field(message, 'C', fields.sqlstate);
  put_field(message, 'M', fields.message);
  if (!fields.detail.empty()) put_field(message, 'D', fields.detail);
  if (!fields.hint.empty()) put_field(message, 'H', fields.hint);
  if (!fields.routine.empty()) put_field(message, 'R', fields.routine);
  message->put_u8(0);
  message.finish();
}

void put_kind(MessageScope& message, AuthenticationKind kind) {
  message->put_u32(static_cast<std::uint32_t>(kind));
}

void append_authentication(std::string& out, AuthenticationKind kind, std::string_view payload) {
  MessageScope message(out, 'R');
  put_kind(message, kind);
  message->put_bytes(payload);
  message.finish();
}

void put_count(MessageScope& message, std::size_t count) {
  WIRE_CHECK(count <= std::numeric_limits<std::uint16_t>::max(), static_cast<long long>(count));
  message->put_u16(static_cast<std::uint16_t>(count));
}

}  // namespace

void append_message(std::string& out, char type, std::span<const std::byte> body) {
  MessageScope message(out, type);
  message->put_bytes(body);
  message.finish();
}

void append_error_response(std::string& out, const ErrorFields& fields) {
  ErrorFields complete = fields;
  complete.severity = or_else(fields.severity, "ERROR");
  complete.sqlstate = or_else(fields.sqlstate, sqlstate::internal_error);
  append_fields(out, 'E', complete);
}

void append_notice_response(std::string& out, const ErrorFields& fields) {
  ErrorFields complete = fields;
  complete.severity = or_else(fields.severity, "NOTICE");
  complete.sqlstate = or_else(fields.sqlstate, sqlstate::successful_completion);
  append_fields(out, 'N', complete);
}

void append_ready_for_query(std::string& out, char status) {
  WIRE_CHECK(status == 'I' || status == 'T' || status == 'E', status);
  MessageScope message(out, 'Z');
  message->put_u8(static_cast<std::uint8_t>(status));
  message.finish();
}

void append_parameter_status(std::string& out, std::string_view name, std::string_view value) {
  MessageScope message(out, 'S');
  message->put_cstring(name);
  message->put_cstring(value);
  message.finish();
}

void append_authentication_ok(std::string& out) {
  append_authentication(out, AuthenticationKind::Ok, {});
}

void append_authentication_cleartext(std::string& out) {
  append_authentication(out, AuthenticationKind::CleartextPassword, {});
}

void append_authentication_md5(std::string& out, std::span<const std::byte, 4> salt) {
  MessageScope message(out, 'R');
  put_kind(message, AuthenticationKind::MD5Password);
  message->put_bytes(salt);
  message.finish();
}

void append_authentication_sasl(std::string& out, std::span<const std::string_view> mechanisms) {
  MessageScope message(out, 'R');
  put_kind(message, AuthenticationKind::SASL);
  for (const std::string_view mechanism : mechanisms) message->put_cstring(mechanism);
  message->put_u8(0);
  message.finish();
}

void append_authentication_sasl_continue(std::string& out, std::string_view data) {
  append_authentication(out, AuthenticationKind::SASLContinue, data);
}

void append_authentication_sasl_final(std::string& out, std::string_view data) {
  append_authentication(out, AuthenticationKind::SASLFinal, data);
}

void append_backend_key_data(std::string& out, std::uint32_t pid,
                             std::span<const std::byte> secret) {
  MessageScope message(out, 'K');
  message->put_u32(pid);
  message->put_bytes(secret);
  message.finish();
}

void append_negotiate_protocol_version(std::string& out, std::uint16_t minor,
                                       std::span<const NameValue> options) {
  MessageScope message(out, 'v');
  // The documentation says "minor version", PostgreSQL sends and libpq expects the whole one.
  message->put_u32(protocol_version_3_0 | minor);
  message->put_u32(static_cast<std::uint32_t>(options.size()));
  for (const NameValue& option : options) message->put_cstring(option.name);
  message.finish();
}

void append_row_description(std::string& out, std::span<const ColumnDescription> columns) {
  constexpr std::uint32_t no_type_modifier = 0xffffffff;
  MessageScope message(out, 'T');
  put_count(message, columns.size());
  for (const ColumnDescription& column : columns) {
    message->put_cstring(column.name);
    message->put_u32(0);  // of no table
    message->put_u16(0);  // and no column of it
    message->put_u32(column.type_oid);
    message->put_u16(static_cast<std::uint16_t>(column.type_size));
    message->put_u32(no_type_modifier);
    message->put_u16(0);  // text format
  }
  message.finish();
}

void append_data_row(std::string& out, std::span<const std::optional<std::string_view>> values) {
  constexpr std::uint32_t null_length = 0xffffffff;
  MessageScope message(out, 'D');
  put_count(message, values.size());
  for (const std::optional<std::string_view>& value : values) {
    if (!value) {
      message->put_u32(null_length);
      continue;
    }
    WIRE_CHECK(value->size() <= std::size_t{std::numeric_limits<std::int32_t>::max()});
    message->put_u32(static_cast<std::uint32_t>(value->size()));
    message->put_bytes(*value);
  }
  message.finish();
}

void append_command_complete(std::string& out, std::string_view tag) {
  MessageScope message(out, 'C');
  message->put_cstring(tag);
  message.finish();
}

void append_parse_complete(std::string& out) { append_empty_message(out, '1'); }
void append_bind_complete(std::string& out) { append_empty_message(out, '2'); }
void append_close_complete(std::string& out) { append_empty_message(out, '3'); }
void append_no_data(std::string& out) { append_empty_message(out, 'n'); }
void append_empty_query(std::string& out) { append_empty_message(out, 'I'); }

void append_parameter_description(std::string& out, std::span<const std::uint32_t> type_oids) {
  MessageScope message(out, 't');
  put_count(message, type_oids.size());
  for (const std::uint32_t oid : type_oids) message->put_u32(oid);
  message.finish();
}

}  // namespace wire
