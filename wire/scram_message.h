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

// Channel binding of an exchange.
enum class ScramBinding : std::uint8_t {
  none,    // one side does not have it
  unused,  // both could, and the mechanism without it was chosen
  in_use,  // SCRAM-SHA-256-PLUS
};
// What stands before the data in the client-final's "c=".
inline constexpr std::string_view scram_bound_header = "p=tls-server-end-point,,";

struct ScramClientFirst {
  std::string_view bare;  // from n= on: what is signed
  std::string_view nonce;
  // What client-final must repeat, in base64. In use: the header, to which the data is to be added, not in base64.
  std::string_view channel_binding;
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

ScramParsed<ScramClientFirst> parse_scram_client_first(std::string_view text,
                                                       ScramBinding binding = ScramBinding::none);
ScramParsed<ScramClientFinal> parse_scram_client_final(std::string_view text);
ScramParsed<ScramServerFirst> parse_scram_server_first(std::string_view text);
ScramParsed<ScramServerFinal> parse_scram_server_final(std::string_view text);

}  // namespace wire

#endif  // WIRE_SCRAM_MESSAGE_H_
