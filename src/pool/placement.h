// Which shards a pool lives on, and what its parts have in common.
//
// What:   a pool spreads over no more shards than its size can feed. A client goes, after its startup packet,
//         to the part with the fewest clients; connections go from part to part as waiters need them.
// Owner:  the process; any thread. Locked for a moment at a client's login, and when the budget sends a permit.
// Life:   a home stays as long as the process.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "src/auth/found_secret.h"
#include "src/budget/board.h"
#include "src/budget/desk.h"
#include "src/config/config.h"
#include "src/config/lookup_place.h"
#include "src/pool/pool_parameters.h"
#include "src/statement/definitions.h"
#include "src/statement/statement.h"
#include "wire/error_response.h"
#include "wire/scram.h"

namespace pgring {

struct PoolKey {
  std::string database;  // as the client named it
  std::string role;
  // Of a pool that serves no clients, but asks for their secrets: where. See lookup_key().
  std::string server = {};  // [server.NAME]
  std::string dbname = {};  // PostgreSQL's
  [[nodiscard]] bool is_for_lookups() const { return !server.empty(); }
  friend auto operator<=>(const PoolKey&, const PoolKey&) = default;
};

// Why connections of a pool could not be opened, for clients that come before the next attempt.
class PoolFailure {
 public:
  void set(const wire::ParsedError& error, ring::Instant until);
  void clear() { until_.store(0, std::memory_order_relaxed); }
  [[nodiscard]] std::optional<wire::ParsedError> at(ring::Instant now) const;

 private:
  std::atomic<std::int64_t> until_{0};
  mutable std::mutex mutex_;
  wire::ParsedError error_;
};

// SCRAM pass-through: what the latest client's login taught us.
class PoolKeys {
 public:
  // Nothing of either: what is known stays. True: it is other than what was known.
  [[nodiscard]] bool set(const std::optional<wire::ScramKeys>& keys, const FoundSecret* found);
  [[nodiscard]] std::optional<wire::ScramKeys> get() const;
  // What PostgreSQL told of the role, where it can be logged in with: no SCRAM secret can.
  [[nodiscard]] std::optional<StoredSecret> found() const;

 private:
  mutable std::mutex mutex_;
  std::optional<wire::ScramKeys> keys_;
  std::optional<StoredSecret> found_;
};

// The pool that asks auth.query at that place.
[[nodiscard]] PoolKey lookup_key(const Config& config, const LookupPlace& place);

struct PoolHome {
  explicit PoolHome(PoolKey its_key, std::vector<std::uint32_t> its_shards)
      : key{std::move(its_key)},
        shards{std::move(its_shards)},
        board{parts()},
        clients{std::make_unique<std::atomic<std::uint32_t>[]>(shards.size())} {}

  PoolKey key;
  std::vector<std::uint32_t> shards;
  PoolBoard board;
  PoolId budget_id = 0;
  PoolFailure failure;
  PoolParameters parameters;
  PoolKeys keys;
  StatementTable statements;
  std::atomic<std::uint32_t> pinned{
      0};  // clients that keep, or may come to keep, their server connection
  std::unique_ptr<std::atomic<std::uint32_t>[]> clients;  // by part

  [[nodiscard]] std::uint32_t parts() const { return static_cast<std::uint32_t>(shards.size()); }
};

class Placement {
 public:
  // At least so many server connections make a part worth having.
  static constexpr std::uint32_t connections_per_part = 4;

  Placement(std::uint32_t shards, BudgetDesk& budget) : budget_{budget}, shards_{shards} {}

  // Makes the home at the first call for a key, and makes it known to the budget; a later pool_size does not
  // change its parts. REQUIRES: the configuration has the database.
  [[nodiscard]] PoolHome& home(const PoolKey& key, const Config& config);
  [[nodiscard]] PoolHome& home(PoolId id);
  // Of a database of PostgreSQL's, whatever entries lead there. Stays as long as this.
  [[nodiscard]] Definitions& definitions(const std::string& host, std::uint32_t port,
                                         const std::string& dbname);
  // All of them, by key.
  [[nodiscard]] std::vector<PoolHome*> homes();
  // A reload: tells the budget what the configuration says now.
  void configure(const Config& config, ring::Instant now);
  // The part of `home` a new client should go to.
  [[nodiscard]] static std::uint32_t least_loaded(const PoolHome& home);

 private:
  BudgetDesk& budget_;
  std::mutex mutex_;
  std::map<PoolKey, std::unique_ptr<PoolHome>> homes_;
  std::vector<PoolHome*> by_id_;  // by PoolId
  std::map<std::tuple<std::string, std::uint32_t, std::string>, Definitions> definitions_;
  std::uint32_t shards_;
  std::uint32_t next_ = 0;  // where the next pool begins: pools of one part spread evenly
};

}  // namespace pgring
