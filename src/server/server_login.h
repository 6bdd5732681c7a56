// What a server connection needs while it logs in and not afterwards.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "src/session/parameters.h"
#include "wire/scram.h"

namespace pgring {

struct ServerLogin {
  std::string input;  // received and not yet used; bounded
  ParameterList parameters;
  std::unique_ptr<wire::ScramClient> scram;
  std::uint32_t minor = 0;  // of protocol 3, as asked for
  bool negotiated = false;  // NegotiateProtocolVersion came
  bool taken = false;       // an authentication request came: the server speaks our version
  bool authenticated = false;
};

}  // namespace pgring
