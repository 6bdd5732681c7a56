// A client with a script from a seed, which knows each reply it must get.
//
// What:   sends bursts of groups, simple and extended, named and unnamed statements, settings, transactions, state that
//         pins, errors, in pieces; and has a SimSession of its own that is sent the same: what that answers is what
//         must come, and nothing else may, but notices. Texts and values hold its name and a counter. It may leave
//         at any byte, or cancel its own requests; a cancel that hits another client's is a reply that
//         does not fit.
// Owner:  the test; one thread, virtual time. Life: as long as the World.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/simulation/kernel_sim.h"
#include "tests/simulation/random.h"
#include "tests/simulation/session_sim.h"

namespace sim {

struct SessionClientOptions {
  std::string name;
  std::uint64_t seed = 0;
  std::uint64_t bursts = 0;  // then it says goodbye
  ring::Duration think_max = std::chrono::milliseconds{5};
  unsigned aborts = 0;   // in 1/1000 of its bursts it leaves in the middle
  unsigned cancels = 0;  // in 1/1000 of its bursts it cancels
  unsigned sneaks = 0;   // in 1/1000 of its texts: a function that sets something
  unsigned alike = 0;    // in 1/1000 of its groups: one of few texts, whose Parse pgring may answer
  bool runs_ahead =
      false;  // sends more behind what fails, or forgets all statements, before it knows
  bool may_lose = false;  // the connection may be lost through nobody's fault
  bool has_base = false;  // connect_query has set lock_timeout
  SessionHabits session{};
  // Makes a connection that carries this CancelRequest.
  std::function<Endpoint(std::string)> connect;
};

class SessionClient {
 public:
  SessionClient(World& world, SessionClientOptions options);
  SessionClient(const SessionClient&) = delete;
  SessionClient& operator=(const SessionClient&) = delete;

  [[nodiscard]] std::string startup_packet() const;
  void start(Endpoint end);
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] bool lost() const { return lost_; }
  [[nodiscard]] std::uint64_t replies() const { return replies_; }
  [[nodiscard]] std::uint64_t cancelled() const { return cancelled_; }
  [[nodiscard]] std::string describe() const;

 private:
  void schedule();
  void act();
  void leave();
  void read();
  void write();
  void message(char type, const std::string& body);
  void expect_reply(char type, const std::string& body);
  void remember(std::string line);
  void at_rest();
  void check_told() const;
  [[noreturn]] void fail(const std::string& what) const;

  // Bursts.
  void next_burst();
  void cancellable_burst();
  void send_cancel();
  void group();
  void extended_group();
  void extended_step();
  void simple_query();
  void say(char type, const std::string& message);
  void parse(const std::string& name, const std::string& text);
  void bind(const std::string& portal, const std::string& statement, std::string_view text);
  void describe(char kind, const std::string& name);
  void execute(const std::string& portal);
  void close(char kind, const std::string& name);
  void run(const std::string& statement, std::string_view text);

  // Texts.
  [[nodiscard]] std::string mark();
  [[nodiscard]] std::string any_text();
  [[nodiscard]] std::string shared_text();
  void alike_group();
  [[nodiscard]] std::string forgetting_text();
  [[nodiscard]] std::string setting_text();
  [[nodiscard]] std::string transaction_text();
  [[nodiscard]] std::string state_text();

  World& world_;
  SessionClientOptions options_;
  Random random_;
  SimSession direct_;  // what a connection without a pooler would say
  Endpoint end_;
  Endpoint cancel_end_;
  std::string input_;
  std::string output_;
  std::deque<std::pair<char, std::string>> expected_;
  std::string cancellable_;  // a Query that is answered, or cancelled: what comes first tells
  std::map<std::string, std::string, std::less<>> told_;
  std::deque<std::string> history_;  // for the failure's message
  std::uint64_t counter_ = 0;
  std::uint64_t bursts_ = 0;
  std::uint64_t replies_ = 0;
  std::uint64_t cancelled_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t dies_at_ = 0;  // so many bytes written; 0: it does not
  ring::Instant think_until_{};
  ring::Instant cancel_at_{};
  std::string cancel_key_;
  unsigned probes_ = 0;  // bursts that a late cancel may still meet
  bool group_open_ = false;
  bool failed_ = false;  // something of the burst under way
  bool unnamed_unsure_ =
      false;  // a skipped Parse or Close, or a Query cancelled early, was to replace it
  bool base_lost_ = false;  // what RESET ALL makes of connect_query's settings is not said
  bool logged_in_ = false;
  bool leaving_ = false;
  bool lost_ = false;
  bool done_ = false;
};

}  // namespace sim
