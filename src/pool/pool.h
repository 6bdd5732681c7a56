// The server connections of one (database, role) pair on one shard, and the clients waiting for them.
//
// What:   gives an idle server connection to the client that asked first; when none is idle, asks another part
//         of the pool for one or the budget for a permit, and queues the client. Gives connections up when
//         the budget says so, or another part's waiter has waited longer.
// Owner:  its Shard. Life: from the first client's login until the shard ends.
// Order:  by arrival (FIFO) among the waiters, over all parts to within a few milliseconds; idle connections are
//         taken last in, first out, so that those not needed grow old and are closed.
// Errors: when connections cannot be had and none is left, waiting clients are told the server's own error.
// Files:  pool.cc serving, opening, giving up; pool_wait.cc waiters; pool_move.cc between shards; pool_rest.cc connections
//         at rest; pool_share.cc which are shared; pool_lookup.cc secrets that are asked for; pool_stats.cc.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ring/clock.h"
#include "ring/timer_wheel.h"
#include "src/base/intrusive_list.h"
#include "src/budget/desk.h"
#include "src/config/config.h"
#include "src/pool/placement.h"
#include "src/pool/text_marks.h"
#include "src/server/login_exchange.h"
#include "src/server/secret_lookup.h"
#include "src/server/server.h"
#include "src/session/client.h"
#include "src/statement/definitions.h"
#include "src/statement/known_texts.h"
#include "wire/scram.h"

namespace pgring {

class Shard;
struct WaitExplanation;

// What the configuration says for this pair; replaced at reload.
struct PoolSettings {
  PoolMode mode = PoolMode::transaction;
  std::uint32_t size_min = 0;
  std::string server;  // [server.NAME]
  std::string host;
  std::uint32_t port = 0;
  std::string dbname;
  std::string role;
  bool forced_role = false;
  bool for_lookups = false;
  ServerTlsConfig tls;
  std::string connect_query;
  std::string reset_query;
  OnSessionState on_session_state = OnSessionState::pin;
  bool lazy_begin = true;
  std::uint32_t max_pinned = 1;
  std::uint32_t max_prepared_statements = 0;
  bool reuse_parse = true;
  Share share = Share::off;
  std::uint32_t share_depth = 2;
  std::uint32_t share_hot = 1;  // connections kept busy before groups are sent behind each other
  ring::Duration share_stall{};

  [[nodiscard]] ServerPlace place() const { return {host, port, dbname, connect_query, tls}; }
};

[[nodiscard]] std::uint32_t share_hot(std::uint32_t pool_size);

// Totals since start; the console's STATS. Times in microseconds.
struct PoolStats {
  std::uint64_t assignments = 0, transactions = 0, queries = 0, received = 0, sent = 0;
  std::uint64_t transaction_us = 0, query_us = 0, wait_us = 0;
  std::uint64_t parses = 0, binds = 0, logins = 0, isolation_faults = 0;
  std::uint64_t server_parses = 0, audits = 0, parses_spared = 0;
  // Groups sent behind others; those done elsewhere after all; the times that was because the one before took long.
  std::uint64_t shared = 0, shares_fled = 0, share_stalls = 0;
  std::uint64_t left_states = 0;  // found in sessions that were nobody's any more, and taken back

  PoolStats& operator+=(const PoolStats& other);
  [[nodiscard]] PoolStats since(const PoolStats& before) const;
};

// What a period of the statistics added; for averages.
struct PoolPeriod {
  PoolStats added;
  ring::Duration length{};  // zero: none is complete yet
};

class Pool {
 public:
  Pool(Shard& shard, PoolKey key, PoolHome& home, std::uint32_t part);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Hot path. Links the client now (and tells it when the link is usable), or queues it.
  void acquire(Client& client);
  // Hot path. The client, which asks for one group that only reads, has it staged behind what other clients have asked on a
  // server connection (Server::begin_stack). False: it is to acquire() one.
  [[nodiscard]] bool stack(Client& client);
  // Such a connection; and: others may not be staged there any more.
  void may_be_shared(Server& server);
  void not_shared(Server& server);
  // One of the groups there is answered: another's may be staged.
  void share_room(Server& server);
  // Hot path. The connection has nothing outstanding and nobody linked.
  void put_back(Server& server);
  // To another part of the pool, to which one is promised. REQUIRES: it could be put back, or is idle.
  void give(Server& server, std::uint32_t part);
  void adopt_server(ServerState state);  // from another part
  void leave(Client& waiter);
  // Hot path. A link is over that lasted so long.
  void was_busy(ring::Duration time) { busy_mean_ += (time - busy_mean_) / 8; }

  void client_entered() {
    ++clients_;
    home_.clients[part_].fetch_add(1, std::memory_order_relaxed);
  }
  void client_left() {
    --clients_;
    home_.clients[part_].fetch_sub(1, std::memory_order_relaxed);
  }

  // The server connection's reports.
  void login_succeeded();
  struct FailedLogin {
    bool never_opened;  // it has no socket, so that no on_closed will come
    bool was_let_in;    // and ended before it served anybody
  };
  void login_failed(Server& server, wire::ParsedError error, FailedLogin how);
  void not_idle(Server& server);  // it is about to close
  void move_called_off(std::uint32_t part);
  void move_ready(Server& server, std::uint32_t part, ServerState state);  // retires it
  void server_closed(Server& server);                                      // destroys it
  // It asks something (the instance's facts, an audit) and will be back in a moment; it is, or will not be.
  void facts_asked(Server& server);
  void facts_answered() {
    --asking_;
    show_idle();
  }

  // Secrets asked for (pool_lookup.cc). REQUIRES: the pool is for that.
  void look_up(std::unique_ptr<SecretLookup> lookup);
  void looked_up(std::unique_ptr<SecretLookup> lookup, LookupResult result);
  // Its connection is gone; nothing says that it would fail on another.
  void lookup_lost(std::unique_ptr<SecretLookup> lookup, wire::ParsedError error);
  // What its role logs in to PostgreSQL with is another than a moment ago: there is no need to wait any longer.
  void secrets_changed();

  // Once a second: lifetimes, idle connections, min_pool_size.
  void maintain();
  void waiters_due();
  void seek_due();
  void rest_due();
  // A connection that was on its way to this part does not come.
  void promise_broken();

  // The budget's and other parts' wishes.
  void open_with(Permit permit);
  void shed();                        // idle connections, as many as the pool is to give up
  void lend(std::uint32_t borrower);  // an idle connection to another part, to which it is promised
  void refuse_waiters(const wire::ParsedError& error);

  void configure(const Config& config);
  void configure_lookups(const Config& config);
  // A reload: likewise, and its terms in the budget. The home may have been made meanwhile, of what was before.
  void reload(const Config& config);
  void pause();
  void resume();
  void close_all(std::string_view reason);  // idle ones now, others when released
  // For good: no more are opened.
  void end(std::string_view reason);  // idle ones now, others when released
  void stop();                        // all of them, at once
  [[nodiscard]] bool drained() const { return all_.empty(); }

  // For a client that may come to keep its server connection beyond the transaction. False: max_pinned do already.
  [[nodiscard]] bool take_pin();
  // Found out afterwards: counted, if it is one too many.
  void add_pin() { home_.pinned.fetch_add(1, std::memory_order_relaxed); }
  void give_pin_back() { home_.pinned.fetch_sub(1, std::memory_order_relaxed); }

  // What this pool's role logs in with.
  [[nodiscard]] LoginSecrets login_secrets() const;

  // What is known of the server's parameters, by any part.
  [[nodiscard]] PoolParameters& parameters() { return home_.parameters; }
  // The texts that clients of any part have prepared.
  [[nodiscard]] StatementTable& statements() { return home_.statements; }
  // Those that the clients of this part prepare again and again.
  [[nodiscard]] KnownTexts& known_texts() { return known_texts_; }
  // Of the database the connections lead to.
  [[nodiscard]] Definitions& definitions() { return *definitions_; }

  // SCRAM pass-through: what clients' logins taught us, of use if no password is stored.
  [[nodiscard]] PoolKeys& keys() { return home_.keys; }

  [[nodiscard]] const PoolKey& key() const { return key_; }
  [[nodiscard]] const PoolSettings& settings() const { return settings_; }
  [[nodiscard]] PoolStats& stats() { return stats_; }
  // What is known of the texts that run here.
  [[nodiscard]] TextMarks& marks() { return marks_; }
  // To the other parts, too.
  void tell_suspects(std::span<const std::uint64_t> fingerprints);
  // Since start: a link that becomes pinned counts each of its reasons once.
  [[nodiscard]] PinCounts& pin_counts() { return pin_counts_; }
  [[nodiscard]] const PoolPeriod& last_period() const { return last_period_; }
  [[nodiscard]] std::uint32_t clients() const { return clients_; }
  [[nodiscard]] bool paused() const { return paused_; }
  [[nodiscard]] std::size_t waiting() const { return waiters_.size() + lookups_.size(); }
  [[nodiscard]] const Client* oldest_waiter() const { return waiters_.front(); }
  [[nodiscard]] std::uint32_t part() const { return part_; }
  [[nodiscard]] FactsDesk& facts_desk() { return *facts_desk_; }
  [[nodiscard]] PoolId budget_id() const { return home_.budget_id; }
  // Connections that are coming to this part: being opened, and on their way from other shards.
  [[nodiscard]] std::uint32_t opening() const { return opening_; }
  [[nodiscard]] std::uint32_t inbound() const { return home_.board.part(part_).inbound(); }

  using ServerList = IntrusiveList<Server, &Server::all_hook>;
  [[nodiscard]] const ServerList& servers() const { return all_; }
  using WaiterList = IntrusiveList<Client, &Client::waiting_hook>;
  [[nodiscard]] const WaiterList& waiters() const { return waiters_; }

 private:
  void link(Client& client, Server& server);
  void keep(Server& server);
  void serve_waiters();
  void serve_lookups();
  void seek_for_lookups();
  void show_lookups();
  void refuse_lookups(const wire::ParsedError& error);
  void refuse_late_lookups();
  void doubt_secret();
  [[nodiscard]] static wire::ParsedError shutting_down();
  [[nodiscard]] bool is_wanted_elsewhere();
  [[nodiscard]] std::uint64_t waited(const Client& client) const;
  // Somebody waits: a connection from another part, or a permit for a new one.
  void seek();
  void offer();
  void look_again(ring::Instant when);
  [[nodiscard]] ring::Duration order_slack() const;
  enum class Loan : std::uint8_t { none, later, coming };
  [[nodiscard]] Loan borrow();
  [[nodiscard]] std::uint32_t asking() const;
  void show_idle();
  void comes_to_rest(const Server& server);
  void show_waiters();
  void show_busy();
  [[nodiscard]] WaitExplanation explain();
  [[nodiscard]] std::optional<wire::ParsedError> hopeless();
  void refuse_everywhere();
  void refresh_facts();
  void arm_waiters_timer();
  void close_idle(Server& server, std::string_view reason);
  void end_period();

  [[nodiscard]] BudgetDesk& budget();
  [[nodiscard]] PartBoard& board() { return home_.board.part(part_); }

  Shard& shard_;
  PoolKey key_;
  PoolHome& home_;
  std::uint32_t part_;
  PoolSettings settings_;
  FactsDesk* facts_desk_ = nullptr;  // of settings_.server
  Definitions* definitions_ = nullptr;
  KnownTexts known_texts_;

  IntrusiveList<Server, &Server::idle_hook> idle_;
  IntrusiveList<Server, &Server::share_hook> sharing_;
  ServerList all_;
  std::map<const Server*, std::unique_ptr<Server>> owned_;
  WaiterList waiters_;
  std::deque<std::unique_ptr<SecretLookup>>
      lookups_;  // oldest first, but for those that are asked again
  ring::Timer waiters_timer_;
  ring::Timer seek_timer_;
  ring::Timer rest_timer_;
  ring::Instant ask_again_{};
  ring::Duration busy_mean_{};  // of the latest links
  std::uint32_t opening_ = 0;
  std::uint32_t ended_early_ = 0;  // in a row: let in by PostgreSQL, and ended before they served
  std::uint32_t asking_ = 0;       // connections that ask for facts
  ring::Instant asked_at_{};       // the last of them
  std::uint32_t clients_ = 0;
  bool paused_ = false;
  bool ending_ = false;
  bool serving_ = false;  // in serve_waiters()
  // close_all() was called last, and why: for what arrives from other parts.
  ring::Instant closed_at_{};
  std::string_view closed_why_;

  std::optional<wire::ParsedError> last_failure_;  // of the latest attempt to open
  TextMarks marks_;
  PoolStats stats_;
  PinCounts pin_counts_;
  PoolStats period_start_;  // the totals when the present period began
  ring::Instant period_began_{};
  PoolPeriod last_period_;
};

}  // namespace pgring
