// The statements prepared on one server connection, least recently used last.
//
// What:   the *expected* state: what will be prepared when everything sent so far has been done. A reply that does not come,
//         because something before it failed, makes a copy doubtful: it may be there or not, and is closed before
//         it is prepared again (Close never fails).
// Owner:  a Server; moves with it between shards.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>

#include "src/statement/statement.h"

namespace pgring {

class ServerStatements {
 public:
  struct Copy {
    StatementRef statement;
    Version version;  // none: its description is not here yet
    std::uint32_t epoch = 0;
    bool doubtful = false;
    // Its Parse left it to PostgreSQL to find out the types that its key does not tell.
    bool as_declared = false;
    std::uint32_t binds = 0;        // since its Parse
    std::uint64_t definitions = 0;  // see Definitions, when its Parse was sent
    std::chrono::nanoseconds parsed_at{};
    std::uint64_t spared = 0;  // Parses of clients it stood in for

    [[nodiscard]] bool usable() const { return !doubtful && epoch == statement->epoch(); }
    // Whether a Parse now would make the same, as far as can be known; so that a client is spared its own.
    [[nodiscard]] bool stands_in(std::uint64_t definitions_now,
                                 std::chrono::nanoseconds now) const {
      return usable() && version != nullptr && as_declared && definitions == definitions_now &&
             now - parsed_at < stands_in_for;
    }
    // Whether so many more executions are planned as those of a statement that has just been prepared.
    [[nodiscard]] bool plans_anew(std::uint32_t executions) const {
      const bool has_parameters = version == nullptr || !version->types.empty();
      return !has_parameters || binds + executions <= unnamed_binds_max;
    }
  };

  // A copy older than that is prepared again before it stands in for a client's own Parse: what is defined past
  // pgring is not seen, see Definitions.
  static constexpr std::chrono::nanoseconds stands_in_for = std::chrono::seconds{1};

  // Hot path. Nothing: there is none, or none that could be used. Counts as a use.
  [[nodiscard]] Copy* use(const Statement& statement);
  // Whether or not it can be used; no use.
  [[nodiscard]] Copy* find(std::uint64_t id);
  // As if just prepared: in use, its version not known.
  Copy& put(StatementRef statement);
  void doubt(std::uint64_t id);
  void doubt_all();
  // None of those that are doubtful is there.
  void drop_doubtful();
  // The one not used for longest, taken out. REQUIRES: size() > 0.
  [[nodiscard]] StatementRef evict();
  // What was evicted is there all the same, perhaps.
  void put_doubtful(StatementRef statement);
  void clear();
  [[nodiscard]] std::size_t size() const { return copies_.size(); }
  // Most recently used first.
  [[nodiscard]] const std::list<Copy>& copies() const { return copies_; }

 private:
  std::list<Copy> copies_;  // most recently used first
  std::unordered_map<std::uint64_t, std::list<Copy>::iterator> by_id_;
};

}  // namespace pgring
