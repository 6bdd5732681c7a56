// What a client needs while it logs in and not afterwards.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "src/pool/placement.h"
#include "src/session/parameters.h"
#include "wire/scram.h"

namespace pgring {

struct ClientLogin {
  std::string input;              // received and not yet used; bounded
  bool encryption_asked = false;  // SSLRequest answered
  bool gss_asked = false;
  bool adopted = false;  // came from the shard that accepted it
  bool sasl_chosen = false;
  bool move_due = false;  // goes to another shard once what it was told is sent
  bool is_console = false;
  bool known = false;  // database and role exist; else the exchange is played to its failing end
  std::array<std::byte, 4> md5_salt{};
  bool wants_md5 = false;
  std::unique_ptr<wire::ScramServer> scram;
  PoolKey key;
  PoolHome* home = nullptr;
  std::uint32_t part = 0;
  // Of a client that replicates: what its startup packet says besides user and database.
  std::vector<std::pair<std::string, std::string>> replication_parameters;
  Overrides asked;  // the startup packet's parameters, as the client spelled them
};

}  // namespace pgring
