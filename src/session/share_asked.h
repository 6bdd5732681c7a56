// What a client asks for that may be in flight on a server connection together with others'. See src/session/client_share.cc.
#pragma once

#include <cstdint>
#include <string>

#include "src/session/parameters.h"
#include "wire/sql_sharing.h"

namespace pgring {

struct ShareAsked {
  bool measured = false;     // the group about to be sent is one by its text
  bool asks = false;         // and known to be short
  std::uint32_t offset = 0;  // in its chunk
  std::uint64_t fingerprint = 0;
  std::string statement;  // the client's name of the one it binds; "": none
  // The terms its texts are read by, and what they were found from.
  wire::SharingTerms terms{};
  Defaults of_defaults;
  Overrides of_overrides;
};

}  // namespace pgring
