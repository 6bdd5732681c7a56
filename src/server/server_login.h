// What a server connection needs while it logs in and not afterwards.
#pragma once

#include <memory>
#include <string>

#include "src/session/parameters.h"
#include "wire/scram.h"

namespace pgring {

struct ServerLogin {
  std::string input;  // received and not yet used; bounded
  ParameterList parameters;
  std::unique_ptr<wire::ScramClient> scram;
  bool authenticated = false;
};

}  // namespace pgring
