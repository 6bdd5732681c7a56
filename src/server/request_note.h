// What hangs on a reply, or on its not coming, beyond passing it on. Rare: of Parse and Close, and of what pgring adds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "src/statement/client_statements.h"

namespace pgring {

struct RequestNote {
  enum class Kind : std::uint8_t {
    prepare,   // Parse: makes a copy of `statement`
    describe,  // of the copy of `statement` that was just made; tells its version
    unnamed,   // the client's own Describe of its unnamed statement; likewise
    evict,     // Close of the copy of `statement`, to make room
    forget,    // the client's Close of `name`
    begin,     // the BEGIN the client was answered before: it must not fail
    fail,      // made to fail, so that the transaction has
    restore,   // behind the client's RESET: what that does not know of
    refuse,    // made to fail: the client gets `error` instead of the server's
  };
  Kind kind = Kind::prepare;
  bool own_group = false;  // its error is not the client's
  bool gates = false;      // the client's messages wait for this reply
  StatementRef statement;
  std::string name;                // the client's own; empty: none of its names is concerned
  std::optional<Prepared> before;  // what the name stood for
  std::string error;               // an ErrorResponse, whole
  std::uint64_t token = 0;         // unnamed: whose description
};

}  // namespace pgring
