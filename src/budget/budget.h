// How many server connections may be open, and whose turn it is.
//
// What:   one budget for each PostgreSQL instance, over all shards, pools, databases and roles. Issues
//         permits, takes them back, and says which pool should give up a connection for another. Rules B1
//         to B5 of docs/architecture.md ("The budget").
// Owner:  BudgetDesk, which locks it; a simulation uses it directly. One thread at a time.
// Life:   pools and servers are never taken out: their number is bounded by the names that logged in.
// Clock:  `now` is given with each call; nothing happens by itself. tick() at next_tick().
// Method: counts are kept at limits (nodes): the ceiling, an entry of [database], a database and a role of
//         the server. A pool belongs to four of them and has a limit of its own. Who gives up what is
//         computed afresh from the counts whenever something changed (shares.h), so that no plan can go stale.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "ring/clock.h"
#include "src/budget/board.h"
#include "src/budget/reason.h"

namespace pgring {

struct Demand;

using PoolId = std::uint32_t;
using Count = std::uint32_t;

// What the configuration says of a server.
struct ServerTerms {
  std::optional<Count> max_connections;  // nullopt: "auto"
  Count keep_free = 3;
};

// What it says of a pool, and who the pool is to PostgreSQL.
struct PoolTerms {
  std::string server;    // [server.NAME]
  std::string database;  // as the client named it
  std::string dbname;    // on the server
  std::string role;      // on the server
  Count size = 20;
  Count size_min = 0;
  Count reserve = 0;
  ring::Duration reserve_after = std::chrono::seconds{5};
  Count weight = 1;
  std::optional<Count> database_max;  // database.NAME.max_connections
  std::optional<Count> role_max;      // role.NAME.max_connections
  bool for_lookups = false;           // it serves no clients, but asks for their secrets
};

// Which PostgreSQL it is: two names can lead to one, and standbys share the first number.
struct InstanceId {
  std::uint64_t system_identifier = 0;
  std::int64_t started_us = 0;
  friend auto operator<=>(const InstanceId&, const InstanceId&) = default;
};

// What a server said of itself, and how many connections that are not ours were counted.
struct ServerLimits {
  struct Role {
    std::optional<Count> limit;  // rolconnlimit
    bool superuser = false;      // exempt from its own limit and the database's
  };
  InstanceId id;
  Count max_connections = 0, superuser_reserved = 0, reserved = 0;
  Count others = 0;
  bool estimated = false;  // others is: this role may not see whose backends they are
  std::map<std::string, Count> others_by_role, others_by_database;
  std::map<std::string, Role> roles;
  std::map<std::string, std::optional<Count>> databases;  // datconnlimit
};

// A permit's states. All of them count.
enum class PermitState : std::uint8_t { opening, open, closing, lost };
inline constexpr std::size_t permit_states = 4;

// How a connection went whose orderly end nobody saw.
enum class LostBy : std::uint8_t {
  reset,    // by the other side: whatever was there has closed its socket
  silence,  // nothing came any more: it may be there still
};

// Why an attempt to open a connection failed.
enum class Failure : std::uint8_t {
  instance_full,  // 53300 by InitProcess or InitPostgres
  role_full,      // … by InitializeSessionUserId
  database_full,  // … by CheckMyDatabase
  full,           // … by something else
  starting,       // 57P03
  other,          // refused, timed out, a wrong password …
};

// What a shard has to do.
struct BudgetAction {
  enum class Kind : std::uint8_t {
    open,  // a permit is issued to this part; it counts as opening already
    shed,  // this part has idle connections of a pool that is to give some up
  };
  Kind kind = Kind::open;
  PoolId pool = 0;
  std::uint32_t part = 0;
};
using BudgetActions = std::vector<BudgetAction>;

struct BudgetTimes {
  // An idle connection is not taken from a pool within its share before this; and a pool that has nothing
  // because there are fewer connections than pools gets its turn after this.
  ring::Duration hysteresis = std::chrono::milliseconds{250};
  ring::Duration tick = std::chrono::milliseconds{20};
  // So long others are asked before a pool that gave nothing for as long as the hysteresis.
  ring::Duration stuck = std::chrono::seconds{1};
  // First and longest wait after "too many connections" and "starting up"; doubles in between.
  ring::Duration backoff_min = std::chrono::milliseconds{250};
  ring::Duration backoff_max = std::chrono::seconds{5};
  // A permit whose backend was not seen for so long: nobody can ask, or it never told its pid. As long as
  // PostgreSQL gives a login (authentication_timeout).
  ring::Duration lost_max = std::chrono::seconds{60};
  // Limits learned longer ago than this may be tried when nobody is connected who could ask.
  ring::Duration facts_age = std::chrono::seconds{1};
};

// Of a server that does not tell its limits: PostgreSQL's own defaults.
inline constexpr Count assumed_max_connections = 100;
inline constexpr Count assumed_superuser_reserved = 3;

// One limit and what counts against it.
struct LimitNode {
  Reason reason = Reason::ceiling;
  std::string name;
  std::optional<Count> limit;       // as in force; nullopt: none
  std::optional<Count> configured;  // the part of it that is the configuration's
  std::array<Count, permit_states> count{};
  // 53300 said that there is less than we thought; until facts say otherwise, or the time is over.
  std::optional<Count> news;
  ring::Instant news_since{}, news_until{};
  // Shares computes with these; without meaning in between.
  std::int64_t room = 0;    // slots that are free, or soon will be, and nobody has been given
  std::int64_t exempt = 0;  // slots of roles this limit does not bind
  std::uint64_t plan = 0;   // the plan they belong to

  [[nodiscard]] Count used() const { return count[0] + count[1] + count[2] + count[3]; }
};

class Budget {
 public:
  explicit Budget(std::uint64_t seed, const BudgetTimes& times = {});
  ~Budget();
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  // Configuration; at start and reload.
  void set_server(const std::string& name, const ServerTerms& terms, ring::Instant now,
                  BudgetActions& actions);
  [[nodiscard]] PoolId add_pool(const PoolTerms& terms, PoolBoard& board);
  void set_pool(PoolId id, const PoolTerms& terms, ring::Instant now, BudgetActions& actions);

  // A part has waiters, or fewer connections than size_min, and nothing coming for them. Permits it may have
  // are among the actions, now or later; with more waiters than before there is no need to ask again.
  void ask(PoolId id, ring::Instant now, BudgetActions& actions);

  // A permit's life.
  void opened(PoolId id, ring::Instant now, BudgetActions& actions);
  void closing(PoolId id, PermitState from);
  // It has come to its part: is a connection still wanted? If not, it should be returned at once.
  [[nodiscard]] bool is_wanted(PoolId id) const;
  // Its backend cannot be seen to end. pid: 0 when it never told.
  void lost(PoolId id, PermitState from, std::uint32_t pid, LostBy by, ring::Instant now);
  // PostgreSQL's slot is free again.
  void returned(PoolId id, PermitState from, ring::Instant now, BudgetActions& actions);
  // An idle connection is about to be used or kept: should the pool give it up instead? True: it is
  // closing from now on.
  [[nodiscard]] bool claim_shed(PoolId id);
  // An attempt to open failed (its permit is closing or returned). retry: after which time at the earliest
  // the next is made when it was Failure::other.
  void failed(PoolId id, Failure failure, ring::Duration retry, ring::Instant now);
  // What made it fail is mended.
  void retry_now(PoolId id, ring::Instant now, BudgetActions& actions);

  // What a server said, asked at `asked`. alive: pids of its backends, sorted.
  void learned(const std::string& server, const ServerLimits& limits,
               std::span<const std::uint32_t> alive, ring::Instant asked, ring::Instant now,
               BudgetActions& actions);

  // A server was asked and did not tell, or not so that it could be understood.
  void not_told(const std::string& server, ring::Instant now, BudgetActions& actions);

  // Time has passed. REQUIRES nothing; useful at next_tick().
  void tick(ring::Instant now, BudgetActions& actions);
  [[nodiscard]] std::optional<ring::Instant> next_tick() const { return next_tick_; }

  // For the console, errors and tests.
  struct Pool;
  struct Instance;
  struct Server;
  [[nodiscard]] const Pool& pool(PoolId id) const { return *pools_[id]; }
  [[nodiscard]] const std::vector<std::unique_ptr<Pool>>& pools() const { return pools_; }
  [[nodiscard]] const std::map<std::string, Server>& servers() const { return servers_; }
  [[nodiscard]] const BudgetTimes& times() const { return times_; }
  // Why this pool's waiters wait, as of now. none: nothing stops the next permit, somebody has only to ask.
  [[nodiscard]] Reason reason(PoolId id, ring::Instant now) const;
  // Every count at every node is the sum of its pools', and none is negative.
  [[nodiscard]] bool consistent() const;
  // The limit in force, with the news.
  [[nodiscard]] static std::optional<Count> limit_of(const LimitNode& node, ring::Instant now);
  // What the pool itself may have now: size, and the reserve when its time has come.
  [[nodiscard]] static Count allowed(const Pool& pool, ring::Instant now);
  [[nodiscard]] static Count allowed(const Pool& pool, std::int64_t oldest, ring::Instant now);

 private:
  void add(Pool& pool, PermitState state, int change);
  void move(PoolId id, PermitState from, PermitState to);
  // limits.cc
  [[nodiscard]] bool join(Server& server, const InstanceId& id);
  void attach(Pool& pool);
  void refresh_limits(Instance& instance);
  void return_lost(Instance& instance, std::span<const std::uint32_t> alive, ring::Instant asked,
                   ring::Instant now, bool another);
  void forget_old_lost(Instance& instance, ring::Instant now);
  // settle.cc
  void settle(Instance& instance, ring::Instant now, BudgetActions& actions);
  void serve(std::vector<Demand>& demands, bool waiters, ring::Instant now, BudgetActions& actions);
  void relieve(std::vector<Demand>& demands, ring::Instant now, BudgetActions& actions);
  void issue(Demand& demand, ring::Instant now, BudgetActions& actions);
  [[nodiscard]] static Demand demand_of(Pool& pool, ring::Instant now);
  [[nodiscard]] Reason stopped_by(const Demand& demand, ring::Instant now) const;
  [[nodiscard]] bool is_probe(const Pool& pool, ring::Instant now) const;
  [[nodiscard]] static bool is_in_the_way(const Demand& kept, const std::vector<Demand>& demands,
                                          ring::Instant now);
  void tick_at(ring::Instant when);
  [[nodiscard]] ring::Duration jittered(ring::Duration time);

  BudgetTimes times_;
  std::mt19937_64 random_;
  std::map<std::string, Server> servers_;
  std::vector<std::unique_ptr<Instance>> instances_;
  std::vector<std::unique_ptr<Pool>> pools_;
  std::optional<ring::Instant> next_tick_;
  std::uint64_t plans_ = 0;
};

// A PostgreSQL instance, or a server not logged in to yet.
struct Budget::Instance {
  std::optional<InstanceId> id;  // nullopt: nothing is known
  std::optional<ServerLimits> limits;
  std::optional<Count> cap;  // the smallest of its servers' max_connections
  Count keep_free = 0;       // the largest of its servers'
  ring::Instant asked{}, learned{};
  LimitNode ceiling;
  std::map<std::string, LimitNode> entries, databases, roles;
  std::vector<Pool*> pools;
  bool silent = false;  // it was asked and does not tell: PostgreSQL's defaults are assumed
  bool due = false;     // something waits for time to pass
  // It was away and nobody is connected: it may come back with other limits. One login, and its answer, before
  // the others: superusers are refused by nobody.
  ring::Instant doubted_until{};
};

struct Budget::Server {
  ServerTerms terms;
  Instance* instance = nullptr;
};

struct Budget::Pool {
  PoolId id = 0;
  PoolTerms terms;
  PoolBoard* board = nullptr;
  Instance* instance = nullptr;
  std::array<LimitNode*, 4> nodes{};  // ceiling, entry, database, role
  bool superuser = false;             // its role is one, so PostgreSQL's limits do not bind it
  std::array<Count, permit_states> count{};
  ring::Instant retry_at{};
  Count failures = 0;      // in a row
  ring::Instant gained{};  // when it was given its last permit
  Reason reason = Reason::none;
  std::uint32_t turn = 0;  // where the next connection for size_min opens
  Count shed_told = 0;     // how many its parts were told to give up, and when
  ring::Instant shed_told_at{};
  // Since when it has been asked to give one up, and until when others are asked first because it did not: all
  // it has may be in transactions that last.
  ring::Instant shed_since{};
  ring::Instant stuck_until{};
  struct Lost {
    std::uint32_t pid = 0;
    ring::Instant since;
    ring::Instant seen;  // the last time an answer named it
    LostBy by = LostBy::silence;
  };
  std::vector<Lost> lost;

  [[nodiscard]] Count used() const { return count[0] + count[1] + count[2] + count[3]; }
  [[nodiscard]] Count of(PermitState state) const { return count[static_cast<std::size_t>(state)]; }
  // What counts against pool_size, which is ours: a lost connection is none of the pool's any more, only
  // PostgreSQL may still know it.
  [[nodiscard]] Count sized() const { return used() - of(PermitState::lost); }
  // Whether node `index` limits it: PostgreSQL's limit of a database does not limit superusers.
  [[nodiscard]] bool is_bound(std::size_t index) const { return index != 2 || !superuser; }
  // Connections it has or will have: what fairness compares.
  [[nodiscard]] Count held() const { return of(PermitState::opening) + of(PermitState::open); }
  // Waiters nothing is coming for.
  [[nodiscard]] Count unmet() const;
  [[nodiscard]] Count below_min() const {
    return held() < terms.size_min ? terms.size_min - held() : 0;
  }
};

}  // namespace pgring
