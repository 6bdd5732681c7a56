// A PostgreSQL whose backends have sessions (SimSession), for a simulated pooler.
//
// What:   trust login, any of the protocol that SimSession speaks, cancel requests; replies leave a backend in pieces, and in
//         the extended protocol only when a Flush, a Sync, an error or a full buffer lets them. Some requests
//         take a while, and can be cancelled meanwhile.
// Owner:  the test; one thread, virtual time. Life: as long as the World.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/simulation/kernel_sim.h"
#include "tests/simulation/session_sim.h"

namespace sim {

struct SessionPostgresHabits {
  SessionHabits session{};
  unsigned busy = 0;      // in 1/1000: a Query or an Execute takes a while
  unsigned notices = 0;   // in 1/1000 of a backend's moments
  unsigned goodbyes = 0;  // likewise: FATAL, and closes
};

class SessionPostgres {
 public:
  SessionPostgres(World& world, const SessionPostgresHabits& habits)
      : world_{world}, habits_{habits} {}
  SessionPostgres(const SessionPostgres&) = delete;
  SessionPostgres& operator=(const SessionPostgres&) = delete;

  void accept(Endpoint end);
  [[nodiscard]] std::size_t open() const { return open_; }
  [[nodiscard]] std::vector<std::uint32_t> pids() const;  // of those open, sorted
  [[nodiscard]] const SimSession* session(std::uint32_t pid) const;
  // The most statements that pgring has had on a backend, after any message.
  [[nodiscard]] std::size_t most_statements() const { return most_statements_; }
  [[nodiscard]] std::uint64_t cancelled() const { return cancelled_; }
  [[nodiscard]] std::uint64_t requests() const { return requests_; }

 private:
  struct Backend {
    Endpoint end;
    SimSession session;
    std::uint32_t pid = 0;
    std::string input;
    std::string waiting;  // replies of the extended protocol that nothing has flushed yet
    std::string output;
    ring::Instant busy_until{};
    bool busy = false;  // with the first message of input
    bool started = false;
    bool closing = false;  // when the output is out
    bool closed = false;
  };
  void schedule(Backend& backend);
  void act(Backend& backend);
  void read(Backend& backend);
  void start(Backend& backend);
  void cancel(std::uint32_t pid, std::uint32_t secret);
  void flush(Backend& backend);
  void close(Backend& backend);
  [[nodiscard]] bool takes_a_while(Backend& backend);

  World& world_;
  SessionPostgresHabits habits_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::size_t open_ = 0;
  std::size_t most_statements_ = 0;
  std::uint32_t logins_ = 0;
  std::uint64_t cancelled_ = 0;
  std::uint64_t requests_ = 0;
};

}  // namespace sim
