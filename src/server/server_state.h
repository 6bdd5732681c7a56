// An idle server connection on its way from one shard to another: all that the next owner must know of it.
//
// What:   plain values, none of which belongs to a thread. What a Server has besides is empty while it is
//         idle (requests, a message under way, cancels), or is made anew (its place in lists, its timer).
// Owner:  the mailbox task that carries it. Life: from Server::quiet() until Pool::adopt_server().
// Units:  instants are of the one monotonic clock that all loops read (ring::Kernel::now).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "ring/clock.h"
#include "src/budget/facts_desk.h"
#include "src/budget/permit.h"
#include "src/config/config.h"
#include "src/server/ran_texts.h"
#include "src/session/parameters.h"
#include "src/statement/server_statements.h"
#include "src/tls/tls_engine.h"

namespace pgring {

// Where a server connection leads and how it began: one that was made for another place is of no use to a
// pool that was configured anew meanwhile.
struct ServerPlace {
  std::string host;
  std::uint32_t port = 0;
  std::string dbname;
  std::string connect_query;
  ServerTlsConfig tls;
  friend bool operator==(const ServerPlace&, const ServerPlace&) = default;
};

struct ServerState {
  int socket = -1;                 // nothing in flight names it
  std::unique_ptr<TlsEngine> tls;  // null: it is not encrypted
  Permit permit;
  OurConnection counted;
  ServerPlace place;
  std::uint64_t id = 0;
  std::uint32_t from_shard = 0;
  std::uint32_t backend_pid = 0;
  std::string cancel_secret;
  Defaults defaults;  // never changed, so that two threads may read them
  ParameterList base;
  ServerStatements statements;
  ParameterList overrides;  // by value: sets are shared inside one shard only
  ring::Instant created{};
  ring::Instant used{};
  bool fresh = true;
  bool reset_done = false;
  bool defaults_due = false;
  RanTexts ran;  // since its last audit
  bool others_ran = false;
  bool may_hide = false;
  bool unnamed_set = false;
  std::uint64_t last_client = 0;
  ring::Instant audited{};
};

}  // namespace pgring
