// How many connections of an instance are not ours.
//
// What:   OurPids knows the backends that are ours, OthersCounter counts the rest of those that take one of
//         max_connections. No I/O; the clock is the caller's.
// Owner:  one of each per instance; not thread-safe.
// Doubt:  a backend whose kind was hidden may be a parallel worker, which takes none: of such rows no more
//         count than the poll before had, so that what comes and goes does not. Ours that are being opened
//         are there before their pids are known here: rows that fit them are taken for them.
// Errors: none; a count that is not certain is marked as an estimate.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ring/clock.h"
#include "src/budget/facts.h"

namespace pgring {

// Ours, from the login's BackendKeyData until PostgreSQL has closed the connection, and a little longer: an
// answer that is on its way was made before.
class OurPids {
 public:
  static constexpr ring::Duration memory = std::chrono::seconds{2};

  void add(std::uint32_t pid);
  void remove(std::uint32_t pid, ring::Instant now);
  // Its end was not seen: it is ours until an answer does not name it any more.
  void lose(std::uint32_t pid, ring::Instant now);
  // An answer to a question put at `asked`; `another`: the server was started again since the one before.
  void answered(const Facts& facts, bool another, ring::Instant asked);
  [[nodiscard]] bool contains(std::uint32_t pid, ring::Instant now) const;
  [[nodiscard]] std::uint32_t open() const { return open_count_; }

 private:
  // A server that is none of PostgreSQL's may give one pid twice, or none.
  std::map<std::uint32_t, std::uint32_t> open_;
  std::uint32_t open_count_ = 0;
  std::map<std::uint32_t, ring::Instant> lost_;  // since when
  std::map<std::uint32_t, ring::Instant> ended_;
  std::deque<std::pair<ring::Instant, std::uint32_t>> ended_order_;
};

// Connections of ours to one database by one role whose backend's pid is not known yet.
struct Opening {
  std::string role;
  std::string database;
  std::uint32_t count = 0;
};

// All of ours that one instance has. It may be known by several names, each of which keeps its own.
struct Ours {
  std::vector<const OurPids*> pids;
  std::vector<Opening> opening;

  [[nodiscard]] bool contains(std::uint32_t pid, ring::Instant now) const;
  [[nodiscard]] std::uint64_t open() const;  // without those being opened
};

struct Others {
  std::uint32_t total = 0;
  // Without those whose role or database is not known by name (see Facts).
  std::map<std::string, std::uint32_t> by_role, by_database;
  bool estimated = false;
};

class OthersCounter {
 public:
  [[nodiscard]] Others count(const Facts& facts, const Ours& ours, ring::Instant now);

 private:
  struct Tally {
    std::uint32_t certain = 0;
    std::uint32_t estimated = 0;
  };
  using Tallies = std::map<std::string, Tally>;
  struct Poll {
    Tally total;
    Tallies by_role, by_database;
  };

  [[nodiscard]] static Poll tally(const Facts& facts, const Ours& ours, ring::Instant now);
  [[nodiscard]] static std::map<std::string, std::uint32_t> smoothed(const Tallies& now,
                                                                     const Tallies* before);

  // The poll before this one, of the same instance.
  Poll before_;
  bool before_known_ = false;
  std::uint64_t system_identifier_ = 0;
  std::int64_t started_us_ = 0;
};

}  // namespace pgring
