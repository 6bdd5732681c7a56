// A PostgreSQL and its clients for a simulated pooler: as much of the protocol as a pooler meets.
//
// What:   Postgres serves every connection made to its address: trust login, simple queries (each answered by
//         its own text and the session's application_name), transactions, set_config, RESET; and of its own
//         accord notices, changed parameters, goodbyes, in pieces. SqlClient asks and checks the answers.
// Owner:  the test; one thread, virtual time. Life: as long as the World.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/kernel_sim.h"

namespace sim {

// In 1/1000 of a backend's moments, of which there is one in a millisecond or so.
struct PostgresHabits {
  unsigned notices = 0;
  unsigned reloads = 0;   // a parameter's default changes
  unsigned goodbyes = 0;  // FATAL, and closes
};

class Postgres {
 public:
  Postgres(World& world, const PostgresHabits& habits) : world_{world}, habits_{habits} {}
  Postgres(const Postgres&) = delete;
  Postgres& operator=(const Postgres&) = delete;

  void accept(Endpoint end);
  [[nodiscard]] std::size_t open() const { return open_; }
  [[nodiscard]] std::vector<std::uint32_t> pids() const;  // of those open, sorted
  [[nodiscard]] std::size_t logins() const { return logins_; }
  [[nodiscard]] std::uint64_t answers() const { return answers_; }
  // Something of its own accord on every backend, now: whole, or its beginning only (the rest follows).
  void notify_all(bool whole);
  void say_goodbye_to_all();
  // Settings that were sent although the session had them already, or reset although it had them not: what a
  // pooler does that has lost track of a connection's state.
  [[nodiscard]] std::uint64_t needless_settings() const { return needless_settings_; }

 private:
  struct Backend {
    Endpoint end;
    std::uint32_t pid = 0;
    std::string input;
    std::string output;
    std::size_t held_back = 0;  // the last bytes of output that wait for the next moment
    std::string application_name;
    bool started = false;
    bool closing = false;  // when the output is out
    bool closed = false;
    char status = 'I';
  };
  void schedule(Backend& backend);
  void act(Backend& backend);
  void read(Backend& backend);
  void flush(Backend& backend);
  void close(Backend& backend);
  void start(Backend& backend);
  void query(Backend& backend, std::string_view sql);
  void set(Backend& backend, std::string_view sql);
  void goodbye(Backend& backend);
  void notice(Backend& backend);

  World& world_;
  PostgresHabits habits_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::size_t open_ = 0;
  std::size_t logins_ = 0;
  std::uint64_t answers_ = 0;
  std::uint64_t reloads_ = 0;
  std::uint64_t needless_settings_ = 0;
};

struct SqlClientOptions {
  std::string name;           // its application_name: nothing else has it
  std::uint64_t queries = 0;  // then it says goodbye
  ring::Duration think_max = std::chrono::milliseconds{5};
  unsigned transactions = 0;  // in 1/1000 of its queries one begins
};

class SqlClient {
 public:
  SqlClient(World& world, SqlClientOptions options) : world_{world}, options_{std::move(options)} {}
  SqlClient(const SqlClient&) = delete;
  SqlClient& operator=(const SqlClient&) = delete;

  [[nodiscard]] std::string startup_packet() const;
  void start(Endpoint end);
  // Asked by hand as well: REQUIRES: ready().
  void ask(std::string_view sql);
  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] bool done() const { return done_; }
  // Told why it had to go, or not.
  [[nodiscard]] bool lost() const { return lost_; }
  [[nodiscard]] const std::string& error() const { return error_; }
  [[nodiscard]] std::uint64_t answered() const { return answered_; }
  [[nodiscard]] std::string describe() const;

 private:
  void schedule();
  void act();
  void message(char type, std::string_view body);

  World& world_;
  SqlClientOptions options_;
  Endpoint end_;
  std::string input_;
  std::string asked_;
  std::string error_;
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
  ring::Instant think_until_{};
  char status_ = 'I';
  bool row_seen_ = false;
  bool ready_ = false;
  bool leaving_ = false;
  bool lost_ = false;
  bool done_ = false;
};

}  // namespace sim
