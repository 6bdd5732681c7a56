// A group of a client that begins with a Parse which PostgreSQL is spared. See src/session/client_reuse.cc.
#pragma once

#include <cstdint>
#include <string>

#include "ring/slice.h"

namespace pgring {

// A group of which the Parse was not sent. Until it is answered what comes behind it is held.
struct ReusedGroup {
  enum class State : std::uint8_t {
    none,
    begun,       // the rest of it is being sent
    unanswered,  // nothing of it has been answered
    answered,    // nothing of it can be done again
    again,       // it is, with its Parse, once its ReadyForQuery is here
  };
  State state = State::none;
  bool spared = false;       // nothing was prepared in place of the Parse either
  std::uint32_t offset = 0;  // in its chunk
  std::uint32_t binds = 0;
  std::uint64_t hash = 0;
  ring::Slice group;  // as it came, until the first answer
  std::string name;   // of the statement
};

}  // namespace pgring
