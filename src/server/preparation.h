// What a server connection is to prepare for a client. See src/server/server_statements.cc.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "src/server/request_queue.h"
#include "src/statement/statement.h"

namespace pgring {

struct Preparation {
  StatementRef statement;
  std::vector<std::uint32_t> types;
  std::string name;  // the client's, which is told the version; "": of none of its names
  Version expected;  // of the copy, until its description is here
  Reply reply = Reply::swallow;  // to the Parse: forwarded, it is the client's own
  bool gate = false;             // the client waits for the description (Client::gate_open)
  bool own_group = false;        // ended by a Sync: what fails in it is not the client's
};

}  // namespace pgring
