// A connection to PostgreSQL.
//
// What:   connects and logs in, then answers requests: the FIFO says which replies are owed, the link who
//         they are for. Knows the session state that is confirmed by replies.
// Owner:  its Pool, on its shard. Life: made by Pool::open_server, destroyed after its stream is closed,
//         which is when PostgreSQL has closed its side: until then it counts against the pool's size.
// Files:  server.cc life and release, server_login.cc the login, server_relay.cc replies and server_ready.cc where a
//         request ends (hot path), server_end.cc how the connection ends,
//         server_statements.cc prepared statements, server_audit.cc what state a session left,
//         server_watch.cc when that is asked for and whose it is, server_limits.cc idle_session_timeout,
//         server_facts.cc what the instance tells of its limits, server_lookup.cc secrets that are asked for,
//         server_move.cc the way to another shard, server_share.cc groups of several clients behind each other.
// Errors: whatever is wrong with the connection ends it (fail) and the linked client with it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ring/timer_wheel.h"
#include "src/base/intrusive_list.h"
#include "src/budget/facts_desk.h"
#include "src/budget/permit.h"
#include "src/server/pin_reason.h"
#include "src/server/preparation.h"
#include "src/server/ran_texts.h"
#include "src/server/request_queue.h"
#include "src/server/secret_lookup.h"
#include "src/server/server_phase.h"
#include "src/server/server_state.h"
#include "src/server/staged_group.h"
#include "src/server/tls_opening.h"
#include "src/server/unexplained.h"
#include "src/session/cancel.h"
#include "src/session/parameters.h"
#include "src/shard/connection.h"
#include "src/statement/server_statements.h"
#include "wire/error_response.h"
#include "wire/framer.h"
#include "wire/name_value.h"
#include "wire/sql_set.h"

namespace pgring {

class Client;
class LoginExchange;
class Pool;
class Shard;
struct Audit;
struct StateLeft;
struct FactsAsked;

// With which a connection that asks for secrets begins, besides user and database.
[[nodiscard]] std::span<const wire::NameValue> lookup_parameters();

class Server final : public Connection {
 public:
  using Phase = ServerPhase;
  using Own = ServerOwn;

  Server(Shard& shard, Pool& pool, Permit permit);
  // One that comes from another shard: idle.
  Server(Shard& shard, Pool& pool, ServerState state);
  ~Server();

  void connect();

  // The loop's events.
  void connected(int error);
  void received(ring::Slice slice);
  void ended(int error);
  void send_failed(int error);
  void sent();
  void timer_due();
  void quiet();
  void tls_opened();
  void tls_failed();
  // Its stream is closed: it is to connect once more (mode "allow", "prefer").
  [[nodiscard]] bool tries_again() const { return tries_again_ && phase_ == Phase::connecting; }

  // Links. REQUIRES for link: is_idle_ready().
  void link(Client& client);
  [[nodiscard]] Client* client() const { return client_; }
  // A client that has it goes away: the connection is reset, kept or closed, whichever its state allows.
  void client_gone(const Client& client, bool between_messages);
  // The client has been unlinked in order: the connection goes back to the pool.
  void detach();
  [[nodiscard]] bool inside_message_to(const Client& client) const {
    return &client == client_ && forwarding_ && framer_.inside_body();
  }

  // Requests on behalf of the linked client; bytes are sent by Stream::send.
  void expect(RequestEntry&& entry) { tail_->push(std::move(entry)); }
  void expect(Request request) { tail_->push(request); }
  void copy_end_sent();
  void sync_sent_into_copy() { sync_in_copy_ = true; }
  // Of the linked client; from begin_stack() to end_stack() of the one whose group is staged.
  [[nodiscard]] const RequestQueue& queue() const { return *tail_; }
  [[nodiscard]] bool copying_in() const { return copying_in_; }
  [[nodiscard]] char transaction_status() const { return status_; }

  // Statements (server_statements.cc). What is sent for them goes before what the client sends next.
  void prepare(Preparation preparation);
  // The client sends DEALLOCATE ALL or DISCARD ALL: nothing prepared before will be there.
  void statements_will_go() {
    statements_.doubt_all();
    ++announced_gone_;
  }
  // The client's Parse is not sent: a copy of the statement stands in for it. Its own messages follow, up to their
  // Sync. When the first of them is answered, Client::parse_answered(). If it fails, Client::group_fails_unseen(); or
  // Client::parse_not_answered(), and the client has the error.
  void synthesize_parse(const Statement& statement);
  void prepare_nothing(std::string_view name);  // an empty statement, to be deallocated
  void close_unnamed();
  [[nodiscard]] ServerStatements& statements() { return statements_; }
  [[nodiscard]] const ServerStatements& statements() const { return statements_; }
  // Whose unnamed statement is there, by its Parse's token; 0: nobody's.
  [[nodiscard]] std::uint64_t unnamed() const { return unnamed_; }
  void unnamed_is(std::uint64_t token) { unnamed_ = token; }

  // A transaction for the client, whose own BEGIN is answered already; and one that has failed already.
  void begin_for_client();
  void fail_for_client();
  // Settings behind the client's own RESET, in its transaction.
  void restore_for_client(std::string_view sql);
  // What PostgreSQL works at is not what the client asked for, but has to be done before that: a cancel would hit it.
  [[nodiscard]] bool prepares_for_client() const {
    return !queue_.empty() && queue_.front().reply == Reply::swallow;
  }

  // Whether what is planned now relies on a group before it that has not been answered.
  [[nodiscard]] bool answers_pending() const {
    return tail_->changes_statements() && tail_->owes_ready();
  }

  // Sharing (server_share.cc). Whether a group of this client, which only reads, may be sent behind what is under way.
  [[nodiscard]] bool may_stack(const Client& client) const;
  // What the client sends from now on is staged, up to the end of its group. REQUIRES: may_stack().
  void begin_stack(Client& client);
  void end_stack(ring::Slice group, std::uint64_t fingerprint);
  [[nodiscard]] bool is_staging() const { return tail_ != &queue_; }
  // The linked client has sent one whole group, of this text; others may follow it. And: it has sent more.
  void head_runs(std::uint64_t fingerprint, bool shares);
  [[nodiscard]] bool head_shares() const { return head_shares_; }
  void head_goes_on();
  [[nodiscard]] bool is_shared() const { return shared_; }
  [[nodiscard]] std::uint32_t depth() const {
    return staged_.size() + (client_ == nullptr ? 0 : 1);
  }
  void share_timer_due();
  void flee();  // those behind the linked client have their groups done elsewhere
  // REQUIRES: the client has it, and is not the linked one.
  void cancel_staged(const Client& client);

  // What the texts of this link may have left in the session: wire::SqlTrait and unseen_text.
  void state_touched(std::uint32_t traits) { touched_ |= traits; }
  // A text that defines something (wire::SqlTraits::defines) is about to run.
  void defines() { defines_ = true; }
  [[nodiscard]] std::uint32_t touched() const { return touched_; }
  // A text that sets something: the names in it that nobody else could tell.
  void settings_named(std::string_view text);
  // It says all there is to know, and is alone in its transaction or not.
  void plain_set(wire::PlainSet set);
  // Hot path. A text runs, after what it shows was reported: 0 if it can call nothing.
  void text_runs(std::uint64_t fingerprint, std::string_view text);
  void unknown_text_runs();
  // Nothing ran on it since it was looked into at rest. REQUIRES of audit_at_rest: idle in its pool. False: not now.
  [[nodiscard]] bool is_audited() const { return ran_.empty() && !may_hide_; }
  [[nodiscard]] ring::Instant audited_at() const { return audited_; }
  [[nodiscard]] bool audit_at_rest();
  // Before a text runs that may tie its client to it. False: enough clients of the pool are tied.
  [[nodiscard]] bool may_be_pinned();
  [[nodiscard]] std::uint64_t previous_client() const { return previous_client_; }  // by id
  // Whether a text ran since it was linked.
  [[nodiscard]] bool has_run() const { return has_run_; }
  // What ties its client to it beyond transactions; empty: nothing.
  [[nodiscard]] PinReasons pins() const { return pins_; }
  [[nodiscard]] ring::Instant pinned_at() const { return pinned_at_; }

  // A Query of our own; its answer is swallowed. REQUIRES: nothing outstanding.
  void run_own(Own purpose, std::string_view sql);
  [[nodiscard]] Own own() const { return own_; }

  // Asks the instance for its facts if nobody does and what is known is older than max_age, or is due.
  // True: it does, is not idle meanwhile, and goes back to its pool. REQUIRES: nothing outstanding.
  [[nodiscard]] bool ask_facts(ring::Duration max_age);

  // Asks for a secret (server_lookup.cc). REQUIRES: idle in the pool, which is for that.
  void look_up(std::unique_ptr<SecretLookup> lookup);

  // A replay is under way: the query that is meant is cancelled after it, instead of being sent.
  void cancel_when_usable(const CancelOrigin& origin);
  // Cancels on their way to this connection: it is not released before they are over.
  void cancel_started() { ++cancels_; }
  // It may still come: then nobody else may have this connection.
  void cancel_ended(bool still_on_its_way);
  [[nodiscard]] std::uint32_t cancels() const { return cancels_; }
  [[nodiscard]] bool cancel_waits() const { return cancel_waiting_.has_value(); }

  // Orderly end of a connection nobody uses. `reason` is for the log.
  void retire(std::string_view reason);
  // At once, or after cancelling what runs.
  void discard(std::string_view reason);
  void stop();

  // Leaves for another part of the pool. Ends in Pool::move_ready(), after which this object is done with; or
  // in Pool::move_called_off(), after which it is put back, or closing. REQUIRES: may_move(), not idle in its pool.
  void begin_move(std::uint32_t part);
  // Idle, with nothing of the server's own accord under way.
  [[nodiscard]] bool may_move() const;

  [[nodiscard]] bool is_idle_ready() const {
    return phase_ == Phase::ready && client_ == nullptr && queue_.empty() && status_ == 'I' &&
           cancels_ == 0;
  }

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] Permit& permit() { return permit_; }
  [[nodiscard]] std::uint32_t backend_pid() const { return backend_pid_; }
  [[nodiscard]] const std::string& cancel_secret() const { return cancel_secret_; }
  [[nodiscard]] const Defaults& defaults() const { return defaults_; }
  [[nodiscard]] const Overrides& overrides() const { return overrides_; }
  [[nodiscard]] bool fresh() const { return fresh_; }
  [[nodiscard]] ring::Instant created() const { return created_; }
  [[nodiscard]] ring::Instant used() const { return used_; }
  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] Pool& pool() const { return pool_; }
  [[nodiscard]] std::string_view state_name() const;
  void must_close(std::string_view reason) { close_reason_ = reason; }
  [[nodiscard]] bool is_to_close() const { return !close_reason_.empty(); }
  [[nodiscard]] std::string_view close_reason() const { return close_reason_; }

  ListHook<Server> idle_hook;   // in the pool's idle list
  ListHook<Server> all_hook;    // in the pool's list of all
  ListHook<Server> share_hook;  // in the pool's list of those that may be shared

 private:
  // server_login.cc
  void begin_login();
  void opening_step(TlsOpening::Step step);
  [[nodiscard]] bool try_the_other_way();
  void login_received(const ring::Slice& slice);
  void serve_from_now();
  void login_finished();
  void login_failed(wire::ParsedError error);

  // server_relay.cc
  void relay(ring::Slice slice);
  [[nodiscard]] bool relay_chunk(const ring::Slice& slice);
  [[nodiscard]] bool begin_message(const wire::Framer::Part& part);
  [[nodiscard]] bool end_message(char type, std::span<const std::byte> body);
  [[nodiscard]] bool error_response(std::span<const std::byte> body);
  void parameter_status(std::span<const std::byte> body);
  void command_complete(std::span<const std::byte> body);
  void isolation_fault(std::string_view what);

  // server_ready.cc
  [[nodiscard]] bool open_gate_when_answered();
  [[nodiscard]] bool ready_for_query(std::span<const std::byte> body);
  [[nodiscard]] bool transaction_may_be_over();
  void link_over();

  // server_share.cc
  void head_served();
  [[nodiscard]] bool share_over();
  void next_share();
  void shares_go_on();
  [[nodiscard]] bool is_waited_for();
  [[nodiscard]] std::vector<FleeingGroup> take_staged();
  void staged_client_gone(const Client& client);

  // server_statements.cc
  void answer_parse();
  void reused_group_failed(const std::optional<wire::ParsedError>& error,
                           std::span<const std::byte> body);
  void definitions_changed();
  void make_room(const Statement& wanted, std::string& out);
  void note_answered(const RequestEntry& entry, char type, std::span<const std::byte> body);
  void note_dropped(const RequestEntry& entry);
  void group_failed();
  void error_received(const wire::ParsedError& error, std::span<const std::byte> body);
  void statements_gone();
  void swallow_query(std::string_view sql, RequestNote::Kind kind);
  void send_waiting_cancel();

  // server_audit.cc
  void begin_audit();
  [[nodiscard]] std::string set_anew_sql() const;
  [[nodiscard]] std::string replay_anew_sql(const Overrides& wanted) const;
  void audit_finished();
  void audit_failed(std::uint32_t touched);
  [[nodiscard]] StateLeft state_found(Audit& found, bool theirs);
  void settings_found(ParameterList settings);
  void settle_unexplained(const ParameterList& settings);
  void pin_forever();
  void pins_are(PinReasons pins);
  void forget_pin();

  // server_watch.cc
  [[nodiscard]] bool audit_due() const;
  void rest_over();
  [[nodiscard]] bool is_theirs(std::uint32_t touched) const;
  void settings_of_nobody(const ParameterList& settings, StateLeft& left);
  void texts_judged(const StateLeft& left, std::uint32_t touched);
  void settle_plain_sets();
  // server_limits.cc
  void prepare_session();
  void begin_connect_query();
  void limits_row(std::span<const std::byte> data_row_body);
  void limits_finished();
  [[nodiscard]] bool stopped_by_a_limit() const;
  [[nodiscard]] bool replay_again();
  [[nodiscard]] bool audit_again();
  [[nodiscard]] bool lift_idle_limit();
  void idle_limit_lifted();
  void overrides_known();

  // server_facts.cc
  void facts_finished();
  void facts_learned(FactsAsked& asked);
  void facts_failed(const FactsAsked& asked, const wire::ParsedError& error);
  void facts_abandoned();

  // server_lookup.cc
  void lookup_message(char type, std::span<const std::byte> body);
  void lookup_finished();
  void lookup_late();
  void lookup_abandoned();

  // server_move.cc
  void received_while_moving(ring::Slice slice);
  void call_off_move();
  void stay();

  [[nodiscard]] bool is_logging_in() const { return phase_ != Phase::ready || login_ != nullptr; }
  void own_finished();
  void replay_finished();
  void release();  // to the pool; nothing is outstanding
  void detach_client();
  void send_text(std::string_view messages);

  // server_end.cc
  void begin_closing();
  void finish_in_time();
  enum class End : std::uint8_t { seen, reset, unknown };  // of the stream
  [[nodiscard]] static End end_of(int error);
  void gone(End end);
  void lose_client(std::string_view sqlstate, std::string_view message);

  Shard& shard_;
  Pool& pool_;

  // Hot: touched for every message.
  Client* client_ = nullptr;
  RequestQueue queue_;
  RequestQueue* tail_ = &queue_;
  wire::Framer framer_;
  Phase phase_ = Phase::connecting;
  Own own_ = Own::none;
  char status_ = 'I';
  bool forwarding_ = false;   // the message under way goes to the client
  bool inspecting_ = false;   // … and is looked at when it is complete
  bool release_due_ = false;  // after the chunk under way
  bool in_relay_ = false;
  bool head_shares_ = false;     // others may be staged behind the linked client
  bool shared_ = false;          // they were, and not all is answered since
  bool shares_no_more_ = false;  // until it is
  bool copying_in_ = false;
  bool sync_in_copy_ = false;  // of the present request: a Sync that the COPY may have swallowed
  bool fatal_seen_ = false;    // an ErrorResponse that ends the connection went to the client
  bool fresh_ = true;          // never linked
  bool own_failed_ = false;
  bool reset_done_ = false;    // since the last link of a session
  bool reset_seen_ = false;    // the client has RESET ALL or DISCARD ALL
  bool defaults_due_ = false;  // before the next link: take all parameters back to their defaults
  bool connect_query_due_ = false;  // likewise, behind a reset: run connect_query again
  bool facts_over_ = false;         // it was not used since: only asked for facts
  bool pinned_forever_ = false;
  bool begin_failed_ = false;
  bool audit_waits_ = false;   // until cancels under way are over, which might hit it
  bool pin_counted_ = false;   // among those of max_pinned
  bool defines_ = false;       // texts were sent that define something; not counted yet
  bool base_due_ = false;      // the audit under way is for what connect_query has set
  bool idle_limited_ = false;  // overrides_ have an idle_session_timeout
  bool at_rest_ = false;       // the audit under way was begun in the pool
  bool may_hide_ =
      false;  // a text ran since all settings were set anew: it may have made one nobody lists
  bool unnamed_set_ = false;   // … may well have: nobody else gets it before that is done
  bool replays_anew_ = false;  // the replay under way
  bool others_ran_ = false;    // since the last audit, before this client
  bool has_run_ = false;       // a text, since the link began
  bool plain_sets_doubtful_ = false;
  std::uint32_t touched_ = 0;
  std::uint32_t cancels_ = 0;
  std::uint32_t moving_to_ = 0;  // the part; phase moving only

  std::uint64_t head_fingerprint_ = 0;  // 0: nothing that is measured
  std::uint64_t head_bytes_ = 0;        // of its answer
  ring::Instant head_at_{};             // when PostgreSQL could begin with it
  StagedGroups staged_;
  std::uint32_t staged_changes_ = 0;  // of them change what statements there are
  std::vector<Client*> finished_;     // in the chunk under way
  ring::Timer share_timer_;

  std::vector<wire::PlainSet> plain_sets_;  // of this link, in order
  Permit permit_;          // the budget's, as long as PostgreSQL may know this connection
  std::string partial_;    // body of an inspected message that came in pieces
  RequestEntry answered_;  // what the reply under way answers, if something hangs on it
  std::uint64_t unnamed_ = 0;
  std::uint32_t announced_gone_ = 0;
  RanTexts ran_;             // since the last audit
  ring::Instant audited_{};  // or when the connection was made
  std::uint64_t last_client_ = 0;
  std::uint64_t previous_client_ = 0;
  ServerStatements statements_;
  std::vector<std::uint32_t> described_types_;
  Defaults defaults_;
  Overrides overrides_;
  Overrides replayed_;         // what a replay will have set, with the server's spelling
  ParameterList base_;         // what connect_query has set, and pgring itself after the login
  std::string limit_found_;    // while own_ is limits
  std::uint8_t attempts_ = 0;  // of what own_ is for, beyond the first
  std::vector<Unexplained> unexplained_;
  std::vector<std::string> named_settings_;  // by texts of this link, see wire/sql_settings.h
  std::unique_ptr<Audit> audit_;             // while own_ is audit
  PinReasons pins_;
  PinReasons pins_counted_;  // since it was pinned
  ring::Instant pinned_at_{};
  std::unique_ptr<LoginExchange> login_;
  TlsOpening opening_;
  bool tries_again_ = false;
  std::unique_ptr<FactsAsked> facts_;     // while own_ is facts
  std::unique_ptr<SecretLookup> lookup_;  // while own_ is lookup
  OurConnection counted_;                 // among those the instance has of ours
  wire::ParsedError own_error_;
  std::string_view close_reason_;  // not empty: close instead of releasing; static text
  std::uint32_t backend_pid_ = 0;
  std::string cancel_secret_;
  std::optional<CancelOrigin> cancel_waiting_;  // until the replay under way is over
  ring::Timer timer_;
  ring::Instant created_{};
  ring::Instant used_{};
  std::uint64_t id_;
};

}  // namespace pgring
