// frontend_message.cc: the messages a client sends, declared in message_builder.h.
#include "wire/limits.h"
#include "wire/message_builder.h"
#include "wire/message_scope.h"
#include "wire/startup.h"

namespace wire {

void append_startup(std::string& out, std::span<const NameValue> parameters,
                    std::uint32_t protocol) {
  MessageScope message(out);
  message->put_u32(protocol);
  for (const NameValue& parameter : parameters) {
    // An empty name is the terminator: the parameters behind it would be lost.
    WIRE_CHECK(!parameter.name.empty() && parameter.name.front() != '\0');
    message->put_cstring(parameter.name);
    message->put_cstring(parameter.value);
  }
  message->put_u8(0);
  message.finish();
}

void append_startup(std::string& out, std::span<const NameValue> parameters) {
  append_startup(out, parameters, protocol_version_3_0);
}

void append_cancel_request(std::string& out, std::uint32_t pid, std::span<const std::byte> secret) {
  WIRE_CHECK(secret.size() <= cancel_secret_size_max, static_cast<long long>(secret.size()));
  MessageScope message(out);
  message->put_u32(cancel_request_code);
  message->put_u32(pid);
  message->put_bytes(secret);
  message.finish();
}

void append_query(std::string& out, std::string_view sql) {
  MessageScope message(out, 'Q');
  message->put_cstring(sql);
  message.finish();
}

void append_sync(std::string& out) {
  MessageScope message(out, 'S');
  message.finish();
}

void append_terminate(std::string& out) {
  MessageScope message(out, 'X');
  message.finish();
}

void append_password_message(std::string& out, std::string_view text) {
  MessageScope message(out, 'p');
  message->put_cstring(text);
  message.finish();
}

void append_sasl_initial_response(std::string& out, std::string_view mechanism,
                                  std::string_view data) {
  MessageScope message(out, 'p');
  message->put_cstring(mechanism);
  message->put_u32(static_cast<std::uint32_t>(data.size()));
  message->put_bytes(data);
  message.finish();
}

void append_sasl_response(std::string& out, std::string_view data) {
  MessageScope message(out, 'p');
  message->put_bytes(data);
  message.finish();
}

}  // namespace wire
