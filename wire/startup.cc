#include "wire/startup.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "wire/byte_reader.h"
#include "wire/limits.h"
#include "wire/sqlstate.h"

namespace wire {
namespace {

constexpr std::uint32_t length_size = 4;
constexpr std::string_view invalid_length = "invalid length of startup packet";
constexpr std::string_view invalid_layout =
    "invalid startup packet layout: expected terminator as last byte";
constexpr std::string_view no_user = "no PostgreSQL user name specified in startup packet";
constexpr std::string_view protocol_option_prefix = "_pq_.";

Startup refuse(std::string_view sqlstate, std::string message) {
  Startup startup;
  startup.error = {sqlstate, std::move(message)};
  return startup;
}

Startup refuse(std::string_view sqlstate, std::string_view message) {
  return refuse(sqlstate, std::string(message));
}

Startup parse_bare_request(StartupKind kind, const ByteReader& reader) {
  if (!reader.at_end()) return refuse(sqlstate::protocol_violation, invalid_length);
  Startup startup;
  startup.kind = kind;
  return startup;
}

Startup parse_cancel_request(ByteReader reader) {
  CancelRequest cancel;
  cancel.pid = reader.read_u32();
  const std::size_t secret_size = reader.remaining();
  if (!reader.ok() || secret_size < cancel_secret_size_min ||
      secret_size > cancel_secret_size_max) {
    Startup refused = refuse(sqlstate::protocol_violation, invalid_length);
    refused.is_cancel = true;
    return refused;
  }
  cancel.secret = reader.read_bytes(secret_size);
  Startup startup;
  startup.kind = StartupKind::CancelRequest;
  startup.cancel = cancel;
  return startup;
}

Startup refuse_protocol(std::uint32_t major, std::uint32_t minor) {
  std::array<char, 128> text{};
  std::snprintf(text.data(), text.size(),
                "unsupported frontend protocol %u.%u: server supports %u.0 to %u.%u", major, minor,
                protocol_major_supported, protocol_major_supported, protocol_minor_supported);
  return refuse(sqlstate::feature_not_supported, std::string(text.data()));
}

// Pairs of cstrings up to an empty name, which must be the last byte. False: it is not.
bool read_parameters(ByteReader& reader, StartupMessage& message) {
  while (const std::optional<std::string_view> name = reader.read_cstring()) {
    if (name->empty()) return reader.at_end();
    const std::optional<std::string_view> value = reader.read_cstring();
    if (!value) return false;
    const bool is_protocol_option = name->starts_with(protocol_option_prefix);
    (is_protocol_option ? message.protocol_options : message.parameters).push_back({*name, *value});
  }
  return false;
}

Startup parse_startup_message(std::uint32_t version, ByteReader reader) {
  Startup startup;
  StartupMessage& message = startup.message;
  message.protocol_major = version >> 16;
  message.protocol_minor = version & 0xffff;
  if (message.protocol_major != protocol_major_supported) {
    return refuse_protocol(message.protocol_major, message.protocol_minor);
  }
  if (!read_parameters(reader, message)) {
    return refuse(sqlstate::protocol_violation, invalid_layout);
  }
  if (message.user().empty()) {
    return refuse(sqlstate::invalid_authorization_specification, no_user);
  }
  startup.kind = StartupKind::StartupMessage;
  return startup;
}

}  // namespace

StartupScan scan_startup(std::span<const std::byte> input) noexcept {
  if (input.size() < length_size) return {StartupScanKind::need_more, 0, {}};
  ByteReader reader(input);
  const std::uint32_t length = reader.read_u32();
  if (length < length_size + startup_body_size_min ||
      length > length_size + startup_body_size_max) {
    return {StartupScanKind::malformed, 0, invalid_length};
  }
  if (input.size() < length) return {StartupScanKind::need_more, 0, {}};
  return {StartupScanKind::packet, length, {}};
}

std::optional<std::string_view> StartupMessage::find(std::string_view name) const {
  for (auto it = parameters.rbegin(); it != parameters.rend(); ++it) {
    if (it->name == name) return it->value;
  }
  return std::nullopt;
}

std::string_view StartupMessage::user() const { return find("user").value_or(std::string_view{}); }

std::string_view StartupMessage::database() const {
  const std::string_view database = find("database").value_or(std::string_view{});
  return database.empty() ? user() : database;
}

bool StartupMessage::needs_negotiation() const {
  return protocol_minor > protocol_minor_supported || !protocol_options.empty();
}

std::uint16_t StartupMessage::minor_spoken() const {
  return static_cast<std::uint16_t>(std::min(protocol_minor, protocol_minor_supported));
}

Startup parse_startup(std::span<const std::byte> packet) {
  const StartupScan scan = scan_startup(packet);
  if (scan.kind != StartupScanKind::packet || scan.size != packet.size()) {
    return refuse(sqlstate::protocol_violation, invalid_length);
  }
  ByteReader reader(packet.subspan(length_size));
  const std::uint32_t version = reader.read_u32();
  switch (version) {
    case ssl_request_code:
      return parse_bare_request(StartupKind::SSLRequest, reader);
    case gssenc_request_code:
      return parse_bare_request(StartupKind::GSSENCRequest, reader);
    case cancel_request_code:
      return parse_cancel_request(reader);
    default:
      return parse_startup_message(version, reader);
  }
}

}  // namespace wire
