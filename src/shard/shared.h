// What the shards of one process share. Written at start, at login, by commands and when a server's
// facts are learned, never per message.
//
// Owner:  run_pooler(), which outlives the shards. Atomics for any thread, the rest constant after start.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "src/budget/desk.h"
#include "src/budget/facts_desk.h"
#include "src/pool/placement.h"
#include "src/shard/client_limits.h"
#include "src/shard/failed_logins.h"
#include "src/shard/replication_limits.h"
#include "src/shard/scram_secrets.h"
#include "src/shard/secret_lookups.h"
#include "src/shard/superuser_hints.h"
#include "src/shard/system_names.h"
#include "src/shard/workers.h"

namespace pgring {

class Shard;

enum class Life : std::uint8_t {
  serving,
  draining,   // TERM: no new clients; ends when the last one has gone
  finishing,  // INT: clients go when their transactions end
  stopping,   // QUIT: now
};

struct Shared {
  explicit Shared(std::uint32_t shard_count);
  ~Shared();
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  BudgetDesk budget;
  SuperuserHints superusers;
  Placement placement;
  FactsDesks facts;
  // Constant after start; may be empty. Called on the thread of the shard that asked, with the server's name.
  std::function<void(const std::string& server, const Learned& learned)> facts_learned;
  ReplicationLimits replication;  // outlives the shards' last walsenders
  // Shards that have more left than console clients. None, in a shutdown: the consoles are closed and all
  // shards end; until then each of them answers what a console asks.
  std::atomic<std::uint32_t> working_shards;
  std::atomic<std::uint32_t> console_clients{0};  // outlives the shards' last clients
  std::vector<std::unique_ptr<Shard>> shards;
  ClientLimits clients;
  std::atomic<Life> life{Life::serving};
  std::atomic<std::uint64_t> next_id{1};
  std::atomic<std::int64_t> started_at{0};  // seconds since 1970
  std::string mock_secret;                  // unknown roles' salts come from it
  // Who pgring runs as; constant after start. An empty name: the system has none for the id.
  uid_t service_user_id = 0;
  std::string service_user_name;
  FailedLogins failed_logins;
  ScramSecrets scram_secrets;
  SecretLookups secret_lookups;
  SystemNames system_names;
  Workers workers;                     // stopped before the shards are gone
  std::function<void(Life)> ask_life;  // the console's SHUTDOWN; any thread
  // The console's RELOAD; any thread. Calls back on the main thread with the errors, empty when applied.
  std::function<void(std::function<void(std::string)>)> ask_reload;
};

}  // namespace pgring
