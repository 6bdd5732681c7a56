// Who asks a server for its facts, and when; and what was learned last.
//
// What:   one FactsDesk for each [server.NAME]. Whoever has a server connection with nothing outstanding may
//         claim() the next question, asks it there, and brings the answer back with learned() or failed().
//         One asks at a time. A claim whose answer does not come ends after claim_limit.
// Owner:  Shared; any thread. due() is one relaxed load (hot path: once per release of a server connection);
//         everything else locks for a moment, at logins and once per question.
// Life:   a desk stays as long as the process. What latest() returns stays as long as it is held.
// Names:  two names of one instance (system identifier and start time) have a desk each, but each other's
//         connections are not others.
// When:   `interval` after the last answer; at once when a role or a database is new, whose limits nobody
//         knows; after a failure later and later, up to a minute.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "ring/clock.h"
#include "src/budget/facts.h"
#include "src/budget/others.h"

namespace pgring {

struct Learned {
  Facts facts;
  Others others;
  ring::Instant asked{};  // when the question was put
  ring::Instant at{};
};

class FactsDesks;

class FactsDesk {
 public:
  static constexpr ring::Duration interval_default = std::chrono::seconds{1};
  static constexpr ring::Duration claim_limit = std::chrono::seconds{5};
  static constexpr ring::Duration retry_max = std::chrono::minutes{1};
  static constexpr ring::Duration warning_interval = std::chrono::minutes{1};

  struct Question {
    FactsNames names;
    std::string sql;
  };
  struct Claim {
    std::uint64_t number = 0;
    ring::Instant at{};
    std::shared_ptr<const Question> question;
    // For a FactsReader.
    [[nodiscard]] std::shared_ptr<const FactsNames> names() const {
      return {question, &question->names};
    }
  };

  FactsDesk(FactsDesks& all, std::string server);
  FactsDesk(const FactsDesk&) = delete;
  FactsDesk& operator=(const FactsDesk&) = delete;

  // Hot path.
  [[nodiscard]] bool due(ring::Instant now) const {
    return now.time_since_epoch().count() >= due_.load(std::memory_order_relaxed);
  }

  // nullopt: somebody asks already, or what is known is younger than max_age and no answer is due.
  [[nodiscard]] std::optional<Claim> claim(ring::Instant now, ring::Duration max_age);
  // nullptr: a later question has been answered meanwhile.
  [[nodiscard]] std::shared_ptr<const Learned> learned(const Claim& claim, Facts facts,
                                                       ring::Instant now);
  void failed(const Claim& claim, ring::Instant now);
  // Something says that what is known is not so any more.
  void ask_soon();
  [[nodiscard]] std::shared_ptr<const Learned> latest() const;

  void set_interval(ring::Duration interval);
  [[nodiscard]] ring::Duration interval() const;

  // A login with these succeeded: their limits are asked for from now on.
  void use(std::string_view role, std::string_view database);

  // Connections of ours (OurConnection).
  void opening(const std::string& role, const std::string& database);
  void identified(const std::string& role, const std::string& database, std::uint32_t pid);
  void closed(std::uint32_t pid, ring::Instant now);
  void lost(std::uint32_t pid, ring::Instant now);
  void never_identified(const std::string& role, const std::string& database);

  // What a log says of this desk at most once a minute, and at most once.
  [[nodiscard]] bool may_warn(ring::Instant now);
  [[nodiscard]] bool first_estimate();

  [[nodiscard]] const std::string& server() const { return server_; }

 private:
  void set_due(ring::Instant when) {
    due_.store(when.time_since_epoch().count(), std::memory_order_relaxed);
  }
  void drop_opening(const std::string& role, const std::string& database);
  // Of all desks that know the same instance.
  [[nodiscard]] Ours ours(const Facts& facts) const;
  void add_ours(Ours& ours) const;

  FactsDesks& all_;
  std::string server_;
  std::atomic<ring::Duration::rep> due_{0};  // an Instant

  // Under the mutex of all desks.
  ring::Duration interval_ = interval_default;
  std::shared_ptr<const Question> question_;
  std::shared_ptr<const Learned> latest_;
  std::uint64_t claims_ = 0;       // the number of the last one
  std::uint64_t answered_ = 0;     // the number of the one `latest_` is the answer to
  ring::Instant claimed_until_{};  // of the last claim; past: nobody asks
  ring::Instant retry_at_{};       // after a failure
  ring::Duration retry_after_{};   // zero: the last answer was good
  std::map<std::pair<std::string, std::string>, std::uint32_t> opening_;  // by role and database
  OurPids pids_;
  OthersCounter counter_;
  std::optional<ring::Instant> warned_at_;
  bool estimate_told_ = false;
};

// All of a process. Any thread.
class FactsDesks {
 public:
  // The same one at each call.
  [[nodiscard]] FactsDesk& desk(const std::string& server);

 private:
  friend class FactsDesk;
  std::mutex mutex_;  // one for all desks: two of them may have to do with one instance
  std::map<std::string, std::unique_ptr<FactsDesk>> desks_;
};

// What a desk knows of one server connection of ours.
//
// Owner:  the Server. Life: begin() before connect(), end() when PostgreSQL has closed its side.
class OurConnection {
 public:
  OurConnection() = default;
  ~OurConnection();
  OurConnection(OurConnection&& from) noexcept;  // to another shard
  OurConnection(const OurConnection&) = delete;
  OurConnection& operator=(const OurConnection&) = delete;

  // REQUIRES: not begun.
  void begin(FactsDesk& desk, std::string role, std::string database);
  // BackendKeyData has come.
  void identified(std::uint32_t pid);
  // The login has succeeded: its role and database are there.
  void logged_in() { desk_->use(role_, database_); }
  void end(ring::Instant now);
  // Likewise, but nobody saw PostgreSQL close its side.
  void lose(ring::Instant now);

  // REQUIRES: begun.
  [[nodiscard]] FactsDesk& desk() const { return *desk_; }

 private:
  FactsDesk* desk_ = nullptr;
  std::string role_;
  std::string database_;
  std::optional<std::uint32_t> pid_;
};

}  // namespace pgring
