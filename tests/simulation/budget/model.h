// Shards, parts of pools, clients and a PostgreSQL, all simulated; the budget and the boards are the real ones.
//
// What:   does what src/pool/pool.cc and src/server do with permits, waiters and idle connections, with delays
//         from a seed, and lets Checks look at everything after each step. A step is one timer that is due.
// Owner:  one run. Life: one run. The same script gives the same run.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "src/budget/budget.h"
#include "tests/simulation/budget/postgres.h"
#include "tests/simulation/budget/script.h"
#include "tests/simulation/random.h"

namespace sim::budget {

class Checks;

// Of src/pool/pool.cc.
inline constexpr Duration seek_interval = std::chrono::milliseconds{20};
inline constexpr Duration ask_interval = std::chrono::milliseconds{5};
inline constexpr Duration maintain_interval = std::chrono::seconds{1};
inline constexpr Duration facts_interval = std::chrono::seconds{1};
inline constexpr Duration idle_max = std::chrono::seconds{5};
inline constexpr Duration login_retry = std::chrono::milliseconds{300};

// How the stream to PostgreSQL ended.
enum class StreamEnd : std::uint8_t { seen, reset, silence };

struct Connection {
  enum class Stage : std::uint8_t {
    permit,  // on its way to the part
    connecting,
    idle,
    busy,
    asking,  // for facts
    moving,
    closing,
    gone,
  };
  Stage stage = Stage::permit;
  pgring::PermitState permit = pgring::PermitState::opening;
  pgring::PoolId pool = 0;
  std::uint32_t part = 0;  // moving: the one it goes to
  std::uint32_t client = 0;
  Pid pid = 0;
  bool pid_known = false;
  bool end_told = false;  // the message that the other side has closed is under way or has come
  bool end_seen = false;  // while moving
  StreamEnd end = StreamEnd::seen;  // likewise
  Instant used{};
  Instant asked{};
  std::optional<pgring::ServerLimits> facts;
  std::vector<Pid> alive;
};

struct Client {
  pgring::PoolId pool = 0;
  std::uint32_t part = 0;
  std::uint32_t left = 0;  // transactions
  Duration length{}, pause{};
  bool impatient = false;
  bool waiting = false;
  Instant since{};
  std::uint64_t turn = 0;  // in the order of arrival, over all pools
};

struct Part {
  std::uint32_t shard = 0;
  std::vector<std::uint32_t> idle;  // the last used one at the end
  std::deque<std::uint32_t> waiters;
  std::uint32_t opening = 0;
  bool paused = false;
  Instant seek_at = Instant::max();
  Instant ask_again{};
};

struct PoolModel {
  std::string server, role, database;
  std::unique_ptr<pgring::PoolBoard> board;
  std::vector<Part> parts;
  std::array<pgring::Count, pgring::permit_states> permits{};
  std::uint64_t served = 0, opened = 0;
  Instant served_at{};
};

class Model {
 public:
  explicit Model(const Script& script);
  ~Model();
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  [[nodiscard]] std::optional<Failure> run();
  [[nodiscard]] std::uint64_t steps() const { return steps_; }

 private:
  friend class Checks;

  enum class Kind : std::uint8_t {
    external,
    permit_comes,
    shed_comes,
    lend_comes,
    no_loan,
    connection_comes,
    connect,
    admit,
    refused,
    logged_in,
    transaction_over,
    client_again,
    patience_over,
    facts_asked,
    facts_come,
    terminate,
    slot_free,
    ended,
    broke,
    direct_leaves,
    backend_ends,
    starting,
    up,
    seek,
    maintain,
  };
  struct Timer {
    Instant at;
    std::uint64_t number;
    Kind kind;
    std::uint32_t a, b;
    bool operator>(const Timer& other) const {
      return at != other.at ? at > other.at : number > other.number;
    }
  };

  // model.cc
  void step(const Timer& timer);
  void external(const Event& event);
  void external_of_pool(const Event& event);
  void after(Duration time, Kind kind, std::uint32_t a, std::uint32_t b);
  void post(std::uint32_t shard, Duration extra, Kind kind, std::uint32_t a, std::uint32_t b);
  [[nodiscard]] Duration about(Duration longest);
  template <class Function>
  void ask_budget(Function function) {
    pgring::BudgetActions actions;
    function(actions);
    apply(actions);
  }
  void apply(const pgring::BudgetActions& actions);
  void tick_if_due();
  void client_next(std::uint32_t id);
  [[nodiscard]] std::optional<std::uint32_t> pick_connection(std::uint32_t number) const;
  [[nodiscard]] bool over() const;

  // model_pool.cc
  Part& part_of(const Connection& connection) {
    return pools_[connection.pool].parts[connection.part];
  }
  void acquire(std::uint32_t client);
  void link(std::uint32_t client, std::uint32_t connection);
  void put_back(std::uint32_t connection);
  void serve_waiters(pgring::PoolId pool, std::uint32_t part);
  void leave(std::uint32_t client);
  void show_idle(pgring::PoolId pool, std::uint32_t part);
  void show_waiters(pgring::PoolId pool, std::uint32_t part);
  void seek(pgring::PoolId pool, std::uint32_t part);
  void look_again(pgring::PoolId pool, std::uint32_t part, Instant when);
  void offer(pgring::PoolId pool, std::uint32_t part);
  enum class Loan : std::uint8_t { none, later, coming };
  [[nodiscard]] Loan borrow(pgring::PoolId pool, std::uint32_t part);
  void lend(pgring::PoolId pool, std::uint32_t lender, std::uint32_t borrower);
  void give(std::uint32_t connection, std::uint32_t part);
  void arrived(std::uint32_t connection);
  void shed(pgring::PoolId pool, std::uint32_t part);
  [[nodiscard]] bool claim(Connection& connection);
  void maintain(pgring::PoolId pool, std::uint32_t part);
  void pause(pgring::PoolId pool, bool paused);

  // model_connection.cc
  void permit_comes(std::uint32_t id);
  void connect(std::uint32_t id);
  void admit(std::uint32_t id);
  void refused(std::uint32_t id, pgring::Failure failure);
  void logged_in(std::uint32_t id);
  void transaction_over(std::uint32_t id);
  void ask_facts(std::uint32_t id);
  void facts_come(std::uint32_t id);
  void retire(std::uint32_t id);
  void not_idle(std::uint32_t id);
  void tell_end(std::uint32_t id, StreamEnd end);
  void ended(std::uint32_t id, StreamEnd end);
  void set_permit(Connection& connection, pgring::PermitState state);
  void give_permit_back(Connection& connection);

  const Script& script_;
  const Setup& setup_;
  Random random_;
  Instant now_{};
  std::uint64_t steps_ = 0, numbers_ = 0, turns_ = 0;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  std::vector<Instant> mail_;  // when the last message so far comes, by shard

  Postgres postgres_;
  pgring::Budget budget_;
  std::vector<PoolModel> pools_;
  std::deque<Connection> connections_;  // stays where it is as more come
  std::deque<Client> clients_;
  std::map<std::string, pgring::ServerTerms> servers_;
  std::vector<std::string> roles_, databases_;
  Duration closing_{};
  Instant facts_due_{};
  std::int64_t started_us_ = 1;  // the latest that facts told
  Instant end_{};
  std::uint64_t sheds_ = 0;
  std::uint32_t clients_left_ = 0;
  Instant client_left_{};                  // the last one
  Duration work_{};                        // of all clients, one after another
  Duration length_max_{}, closing_max_{};  // of all in the script
  std::unique_ptr<Checks> checks_;
};

}  // namespace sim::budget
