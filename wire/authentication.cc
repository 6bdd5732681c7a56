#include "wire/authentication.h"

#include <algorithm>

#include "wire/byte_reader.h"

namespace wire {
namespace {

AuthenticationKind kind_of(std::uint32_t number) {
  switch (number) {
    case 0:
      return AuthenticationKind::Ok;
    case 2:
      return AuthenticationKind::KerberosV5;
    case 3:
      return AuthenticationKind::CleartextPassword;
    case 5:
      return AuthenticationKind::MD5Password;
    case 7:
      return AuthenticationKind::GSS;
    case 8:
      return AuthenticationKind::GSSContinue;
    case 9:
      return AuthenticationKind::SSPI;
    case 10:
      return AuthenticationKind::SASL;
    case 11:
      return AuthenticationKind::SASLContinue;
    case 12:
      return AuthenticationKind::SASLFinal;
    default:
      return AuthenticationKind::unknown;
  }
}

// A list of names ended by an empty one, which must be the last byte.
bool read_mechanisms(ByteReader& reader, std::vector<std::string_view>& mechanisms) {
  while (const std::optional<std::string_view> name = reader.read_cstring()) {
    if (name->empty()) return reader.at_end();
    mechanisms.push_back(*name);
  }
  return false;
}

bool read_payload(ByteReader& reader, Authentication& authentication) {
  switch (authentication.kind) {
    case AuthenticationKind::Ok:
    case AuthenticationKind::KerberosV5:
    case AuthenticationKind::CleartextPassword:
    case AuthenticationKind::GSS:
    case AuthenticationKind::SSPI:
      return reader.at_end();
    case AuthenticationKind::MD5Password: {
      const std::span<const std::byte> salt = reader.read_bytes(authentication.salt.size());
      std::copy(salt.begin(), salt.end(), authentication.salt.begin());
      return reader.at_end();
    }
    case AuthenticationKind::SASL:
      return read_mechanisms(reader, authentication.mechanisms);
    case AuthenticationKind::GSSContinue:
    case AuthenticationKind::SASLContinue:
    case AuthenticationKind::SASLFinal:
      authentication.data = as_text(reader.read_bytes(reader.remaining()));
      return true;
    case AuthenticationKind::unknown:
      return true;
  }
  return false;
}

}  // namespace

bool Authentication::offers(std::string_view mechanism) const {
  return std::find(mechanisms.begin(), mechanisms.end(), mechanism) != mechanisms.end();
}

std::optional<Authentication> parse_authentication(std::span<const std::byte> body) {
  ByteReader reader(body);
  Authentication authentication;
  authentication.number = reader.read_u32();
  if (!reader.ok()) return std::nullopt;
  authentication.kind = kind_of(authentication.number);
  if (!read_payload(reader, authentication)) return std::nullopt;
  return authentication;
}

std::optional<SASLInitialResponse> parse_sasl_initial_response(std::span<const std::byte> body) {
  constexpr std::uint32_t absent = 0xffffffff;
  ByteReader reader(body);
  const std::optional<std::string_view> mechanism = reader.read_cstring();
  const std::uint32_t size = reader.read_u32();
  if (!mechanism || !reader.ok()) return std::nullopt;
  SASLInitialResponse response;
  response.mechanism = *mechanism;
  if (size != absent) response.data = as_text(reader.read_bytes(size));
  if (!reader.at_end()) return std::nullopt;
  return response;
}

std::optional<std::string_view> parse_password_message(std::span<const std::byte> body) {
  ByteReader reader(body);
  const std::optional<std::string_view> text = reader.read_cstring();
  if (!reader.at_end()) return std::nullopt;
  return text;
}

}  // namespace wire
