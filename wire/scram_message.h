// scram_message.h: the four messages of a SCRAM exchange, read.
//
// Life:   views into the message given.
// Errors: a ScramError with PostgreSQL's SQLSTATE and text; an attribute that is absent is an
//         error, never an empty value taken for granted (CVE-2026-19888). Sizes are checked
//         before anything else (CVE-2026-6664, CVE-2026-6665).
// Source: RFC 5802 section 7, "Formal Syntax"; PostgreSQL src/backend/libpq/auth-scram.c.
#ifndef WIRE_SCRAM_MESSAGE_H_
#define WIRE_SCRAM_MESSAGE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wire/scram_secret.h"

namespace wire {

// All views are of constants.
struct ScramError {
  std::string_view sqlstate;
  std::string_view message;
  std::string_view detail;  // may be empty
};

struct ScramClientFirst {
  std::string_view bare;  // from n= on: what is signed
  std::string_view nonce;
  std::string_view channel_binding;  // what client-final must repeat, in base64
};

struct ScramClientFinal {
  std::string_view without_proof;  // what is signed
  std::string_view channel_binding;
  std::string_view nonce;
  ScramKey proof{};
};

struct ScramServerFirst {
  std::string_view nonce;
  std::string salt;  // raw bytes
  std::uint32_t iterations = 0;
};

struct ScramServerFinal {
  ScramKey signature{};
  std::string_view server_error;  // not empty: the server refused, and this is why
};

template <class Message>
struct [[nodiscard]] ScramParsed {
  std::optional<ScramError> error;  // then `message` says nothing
  Message message{};
};

ScramParsed<ScramClientFirst> parse_scram_client_first(std::string_view text);
ScramParsed<ScramClientFinal> parse_scram_client_final(std::string_view text);
ScramParsed<ScramServerFirst> parse_scram_server_first(std::string_view text);
ScramParsed<ScramServerFinal> parse_scram_server_final(std::string_view text);

}  // namespace wire

#endif  // WIRE_SCRAM_MESSAGE_H_
