// A connection from an application.
//
// What:   logs in, then has its messages forwarded to a server connection while it is linked to one. Waiting,
//         it keeps what it sent so far; idle, it holds nothing but its place.
// Owner:  its Shard; handed over once, after the startup packet, to the shard where its pool lives.
// Life:   from accept until its stream is closed; then the shard destroys it.
// Files:  client.cc life and links, client_limits.cc its time limits; the login: client_login.cc, client_tls.cc,
//         client_access.cc, client_secret.cc, client_auth.cc; client_relay.cc messages (hot path), client_extended.cc
//         prepared statements, client_query.cc texts, client_settings.cc settings, client_reuse.cc a Parse that is spared,
//         client_share.cc what shares; client_begin.cc a BEGIN without a server connection, client_aborted.cc,
//         client_cancel.cc cancels; replication.cc.
// Errors: a client that breaks the protocol gets a FATAL with its SQLSTATE and is closed; nobody else notices.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ring/timer_wheel.h"
#include "src/auth/found_secret.h"
#include "src/base/intrusive_list.h"
#include "src/server/request_queue.h"
#include "src/session/aborted_block.h"
#include "src/session/client_phase.h"
#include "src/session/parameters.h"
#include "src/session/peer_address.h"
#include "src/session/refusal.h"
#include "src/session/reused_group.h"
#include "src/session/share_asked.h"
#include "src/shard/connection.h"
#include "src/statement/client_statements.h"
#include "src/statement/known_texts.h"
#include "wire/error_response.h"
#include "wire/extended_query.h"
#include "wire/framer.h"
#include "wire/replication.h"
#include "wire/scram_secret.h"
#include "wire/startup.h"

namespace pgring {

class ConsoleSession;
class Pool;
class Server;
class Shard;
class Walsender;
struct ClientLogin;
struct LoginAsked;
struct DatabaseConfig;
struct LookupResult;

class Client final : public Connection {
 public:
  using Phase = ClientPhase;

  Client(Shard& shard, PeerAddress peer);
  ~Client();

  // A new connection; or one that another shard has read the startup packet of.
  void start(int socket);
  void adopt(int socket, std::string packet, std::unique_ptr<TlsEngine> tls, FoundSecretRef found);

  // The loop's events.
  void received(ring::Slice slice);
  void ended(int error);
  void send_failed(int error);
  void sent();
  void timer_due();
  void tls_failed();  // what the engine has to say about it is to be sent
  void login_held_long_enough();

  // The pool's and the server connection's.
  void linked_to(Server& server) { server_ = &server; }
  void wait_begun();
  void server_usable();  // the link is ready for this client's messages
  void answered(ring::Instant now) { requested_ = now; }  // nothing is outstanding any more
  void unlink();  // the server connection is free of this client
  void server_refused(const wire::ParsedError& error);  // no server connection can be had
  // One can, but not with what this client has set.
  void replay_refused(const wire::ParsedError& error);
  // Its server connection has ended before anything was sent for this client: it goes on with another, a few times.
  // Cancelled: it has asked for that meanwhile.
  void link_lost(std::string_view sqlstate, std::string_view message, bool cancelled);
  // Its server connection has ended. No message: the server's own last words were passed on. Not readable:
  // in the middle of a message to this client.
  void server_lost(std::string_view sqlstate, std::string_view message, bool readable);
  // Which limit stopped it and who holds it; what can be done about that.
  void wait_expired(std::string_view detail, std::string_view hint);
  void notify_waiting();
  void parameter_changed(const Defaults& defaults, const Overrides& overrides);
  void parameters_canonical(const Overrides& overrides);
  // A CancelRequest came. Waiting for a server connection: it does not any more, and its request ends with
  // 57014. Else nothing: what a linked client runs is for its server connection to cancel.
  void cancel_waiting();
  // The link is over before anything of the request was sent: that ends with 57014.
  void cancel_held();
  void parameters_reset();
  // An audit's answer: what this session has set is what PostgreSQL says it has.
  void settings_are(const Defaults& defaults, const Overrides& overrides);
  // What it sends is held until the server connection has answered something of ours; gate_open() ends that.
  void hold_messages() { usable_ = false; }
  // The link is over: what was held meanwhile begins anew.
  void go_on();
  // Sharing (client_share.cc). It waits with a group that may share; also on this server connection, for what it names.
  [[nodiscard]] bool asks_share() const { return share_ != nullptr && share_->asks; }
  [[nodiscard]] bool may_share_on(Server& server) const;
  void stack_on(Server& server);  // begins to wait for its answer there, no longer in the pool
  void share_over();              // its group is answered
  // It is to be done elsewhere. And: it was cancelled before it could be told that it has begun.
  void share_lost(ring::Slice group, bool connection_lost);
  void share_cancelled(ring::Slice group);
  void gate_open();
  // Held until all groups are answered that what it names may rely on.
  [[nodiscard]] bool waits_for_answers() const { return waits_for_answers_; }
  // Its Parse was not sent; see Server::synthesize_parse.
  void parse_answered();
  void parse_not_answered();
  void group_fails_unseen() { reused_->state = Reused::State::again; }
  [[nodiscard]] ClientStatements* known_statements() const { return statements_.get(); }
  void defaults_are(const Defaults& defaults);
  // Something it sent is not wholly forwarded, or a group is not ended by Sync.
  [[nodiscard]] bool between_messages() const { return !group_open_ && !framer_.inside_body(); }
  [[nodiscard]] bool closes_when_idle() const { return close_when_idle_; }

  // Its connection for replication: usable, not to be had, at its end.
  void replication_ready(const ParameterList& parameters);
  void replication_refused(const wire::ParsedError& error);
  void replication_ended(std::string_view reason);
  void resume_replication();  // a pause is over

  // A last word, then the end.
  void fatal(std::string_view sqlstate, std::string_view message, std::string_view detail = {},
             std::string_view hint = {});
  void fatal(const wire::ErrorFields& fields);
  // The same, but what was asked before is answered first, as PostgreSQL would. No sqlstate: goodbye without
  // an error.
  void fatal_after_replies(std::string_view sqlstate, std::string_view message);
  // All replies are in: says and does what fatal_after_replies() put off. False: nothing was put off.
  bool say_last_words();
  void disconnect(std::string_view reason);
  // INT: closed as soon as no transaction is open. Any reason is static text.
  void close_when_idle();

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] bool logs_in() const { return login_ != nullptr; }
  [[nodiscard]] Pool* pool() const { return pool_; }
  [[nodiscard]] Server* server() const { return server_; }
  [[nodiscard]] Walsender* walsender() const { return walsender_; }
  [[nodiscard]] wire::Replication replication() const { return replication_; }
  [[nodiscard]] const PeerAddress& peer() const { return peer_; }
  [[nodiscard]] const std::string& user() const { return user_; }
  [[nodiscard]] std::string_view database() const { return database_; }
  [[nodiscard]] std::string_view application_name() const;
  [[nodiscard]] const Defaults& defaults() const { return defaults_; }
  [[nodiscard]] const Overrides& overrides() const { return overrides_; }
  [[nodiscard]] ring::Instant connected_at() const { return connected_; }
  [[nodiscard]] ring::Instant requested_at() const { return requested_; }
  [[nodiscard]] ring::Instant transaction_at() const { return transaction_; }
  [[nodiscard]] std::uint32_t cancel_pid() const { return cancel_pid_; }
  // The rest of its cancel key is Shard::cancel_secret().
  [[nodiscard]] std::uint32_t cancel_secret_size() const;
  void set_cancel_pid(std::uint32_t pid) { cancel_pid_ = pid; }
  [[nodiscard]] ConsoleSession* console() const { return console_.get(); }  // phase console only
  [[nodiscard]] bool counted() const { return counted_; }
  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] std::string_view state_name() const;
  [[nodiscard]] Shard& shard() const { return shard_; }
  [[nodiscard]] bool waits() const;
  [[nodiscard]] bool waiting_noticed() const { return waiting_noticed_; }

  ListHook<Client> waiting_hook;  // in its pool's waiters
  ListHook<Client> all_hook;      // in its shard's clients

 private:
  // client_login.cc
  void login_received(const ring::Slice& slice);
  [[nodiscard]] bool startup_packet(std::string_view packet);
  [[nodiscard]] bool startup_message(const wire::StartupMessage& message, std::string_view packet);
  [[nodiscard]] bool move_home();
  [[nodiscard]] bool enter_limits(const DatabaseConfig* database);
  [[nodiscard]] bool read_parameters(const wire::StartupMessage& message);

  // client_tls.cc
  void answer_encryption_request(bool is_ssl);
  [[nodiscard]] bool begins_with_tls(const ring::Slice& slice) const;
  void begin_tls_directly(ring::Slice slice);
  [[nodiscard]] bool may_be_unencrypted();
  // SCRAM-SHA-256-PLUS is offered.
  [[nodiscard]] bool binds_channels() const;

  // client_access.cc
  [[nodiscard]] bool find_login_rule();
  [[nodiscard]] bool find_peer_name();
  void await_worker();
  void receive_again();
  void hold_login(ring::Duration delay);
  [[nodiscard]] LoginAsked login_asked() const;
  void refuse_by_rule();
  [[nodiscard]] bool has_wanted_certificate();
  [[nodiscard]] std::optional<std::string> certificate_fault() const;
  [[nodiscard]] bool certificate_fits();
  void refuse_method();
  [[nodiscard]] bool place_exists();

  // client_secret.cc
  [[nodiscard]] bool wants_lookup() const;
  [[nodiscard]] bool find_secret();
  void looked_up(const LookupResult& result);
  void look_up_secret();
  void secret_found(const StoredSecret* secret);
  void doubt_secret();
  void login_timed_out();

  // client_auth.cc
  void begin_authentication();
  void begin_check();
  void begin_exchange();
  void begin_clear_text();
  void begin_md5();
  void begin_scram();
  [[nodiscard]] std::optional<wire::ScramSecret> scram_secret();
  [[nodiscard]] bool password_message(std::span<const std::byte> body);
  [[nodiscard]] std::optional<std::string_view> read_password(std::span<const std::byte> body);
  [[nodiscard]] bool clear_text_answer(std::span<const std::byte> body);
  [[nodiscard]] bool md5_answer(std::span<const std::byte> body);
  [[nodiscard]] bool scram_answer(std::span<const std::byte> body);
  void password_checked(bool fits);
  void login_goes_on();
  void authentication_failed();
  void refuse_login(std::string_view sqlstate, const std::string& message, std::string detail);

  // client_login.cc
  void authenticated();
  void enter_pool();
  void finish_login();
  void greet(std::string welcome);
  void enter_console();

  // replication.cc
  [[nodiscard]] bool read_replication(const wire::StartupMessage& message);
  void keep_replication_parameters(const wire::StartupMessage& message);
  void enter_replication();
  void open_walsender();
  void relay_replication(ring::Slice slice);

  // client_relay.cc
  enum class Verdict : std::uint8_t { forward, drop, hold, stop };
  void relay(ring::Slice slice);
  [[nodiscard]] Verdict begin_message(const wire::Framer::Part& part,
                                      std::span<const std::byte> chunk);
  [[nodiscard]] Verdict begin_unlinked(const wire::Framer::Part& part,
                                       std::span<const std::byte> chunk,
                                       std::span<const std::byte> body);
  void gather(ring::Slice slice);
  [[nodiscard]] Verdict begin_as_is(const wire::Framer::Part& part,
                                    std::span<const std::byte> body);
  void collect(ring::Slice slice);
  void end_message(char type);
  void hold(ring::Slice slice);
  void resume();

  // client_extended.cc
  [[nodiscard]] bool must_wait_for_answers();
  // What a name stands for. No statement: the message is passed on as it is, or the verdict says what else.
  struct Resolved {
    const Statement* statement = nullptr;
    Verdict verdict = Verdict::forward;
  };
  [[nodiscard]] ClientStatements& statements();
  [[nodiscard]] bool renames_statements() const;
  [[nodiscard]] std::uint64_t needed_in_one_piece(const wire::Framer::Part& part,
                                                  std::span<const std::byte> body) const;
  [[nodiscard]] Verdict begin_named(const wire::Framer::Part& part,
                                    std::span<const std::byte> body);
  [[nodiscard]] Verdict begin_parse(const wire::Framer::Part& part,
                                    std::span<const std::byte> body);
  [[nodiscard]] Verdict begin_named_parse(const wire::ParseBody& parse);
  [[nodiscard]] Verdict begin_bind(const wire::Framer::Part& part, std::span<const std::byte> body);
  [[nodiscard]] Verdict begin_describe(std::span<const std::byte> body);
  [[nodiscard]] Verdict begin_close(std::span<const std::byte> body);
  // describing: for a Describe, whose answer begins with what the parameters are.
  [[nodiscard]] Resolved resolve(std::string_view name, bool describing);
  [[nodiscard]] Resolved resolve_unnamed(bool describing);
  // is_query: for SQL's EXECUTE, before whose Query a group of the extended protocol must be ended.
  [[nodiscard]] Resolved make_ready(StatementRef& statement, Version& version,
                                    std::string_view name, bool describing, bool is_query = false);
  [[nodiscard]] std::string settings_of_now() const;
  void touch(const Statement& statement);
  void touch(const wire::SqlTraits& traits, std::string_view text, std::uint64_t fingerprint);
  void keep_unnamed(std::string_view body);
  void open_group() { group_open_ = true; }
  [[nodiscard]] Verdict pass_on(Request request);
  [[nodiscard]] Verdict refuse(ClientRefusal refusal);

  // client_reuse.cc
  using Reused = ReusedGroup;
  [[nodiscard]] bool reuse_parse(const wire::Framer::Part& part, std::span<const std::byte> chunk);
  [[nodiscard]] bool may_reuse(const wire::Framer::Part& part) const;
  [[nodiscard]] const StatementRef* find_stand_in(const ParseSeen& seen, std::uint64_t hash);
  void declare(std::string_view name, const StatementRef& statement);
  void keep_reused(const ring::Slice& chunk);
  [[nodiscard]] ring::Slice take_group_again();
  [[nodiscard]] bool says_goodbye(const ring::Slice& slice);
  // Whether what waits to be looked at ends with a Terminate.
  [[nodiscard]] bool holds_goodbye() const;
  [[nodiscard]] bool reuses(Reused::State state) const {
    return reused_ != nullptr && reused_->state == state;
  }

  // client_share.cc
  void look_at_sharing(const wire::Framer::Part& part, std::span<const std::byte> chunk);
  [[nodiscard]] const Statement* statement_to_share(std::string_view name) const;
  [[nodiscard]] wire::SharingTerms sharing_terms();
  void group_sent(const ring::Slice& chunk);
  void take_group_back(ring::Slice group);
  void hold_again(ring::Slice group);

  // client_begin.cc
  // A transaction that the client has begun and no server connection knows of yet.
  enum class Begun : std::uint8_t {
    no,
    yes,
    failed,  // its first statement was cancelled while it waited, or got no server connection
  };
  [[nodiscard]] bool answer_begin(std::span<const std::byte> body);
  [[nodiscard]] bool answer_end(std::span<const std::byte> body);
  void send_begin();
  [[nodiscard]] char idle_status() const;

  // client_aborted.cc
  [[nodiscard]] bool begun_failed(const wire::ErrorFields& fields);
  void fail_request(const wire::ErrorFields& fields);
  [[nodiscard]] Verdict answer_aborted(const wire::Framer::Part& part,
                                       std::span<const std::byte> body);
  [[nodiscard]] AbortedBlock::Outcome aborted_outcome(const wire::Framer::Part& part,
                                                      std::span<const std::byte> body,
                                                      std::string& out);
  [[nodiscard]] AbortedBlock::Outcome aborted_parse(const wire::Framer::Part& part,
                                                    std::span<const std::byte> body,
                                                    std::string& out);
  [[nodiscard]] std::optional<AbortedBlock::Known> known_statement(std::string_view name) const;

  // client_settings.cc
  [[nodiscard]] bool answer_reset(std::span<const std::byte> body);
  void take_back(ParameterList& list, std::string_view name) const;
  void tell_changes(const ParameterList& list, std::string& out) const;
  [[nodiscard]] std::optional<Verdict> begin_reset(std::string_view text);

  // client_query.cc
  [[nodiscard]] Verdict begin_query(const wire::Framer::Part& part,
                                    std::span<const std::byte> body);
  // A text that is to be run in place of another, or the verdict that says why not.
  struct Rewritten {
    Verdict verdict = Verdict::drop;
    std::string text;  // empty: the verdict holds
    std::unique_ptr<RequestNote> note;
  };
  [[nodiscard]] std::optional<Rewritten> rewrite_sql_prepare(std::string_view text, bool is_query);
  [[nodiscard]] std::optional<Verdict> begin_sql_prepare(std::string_view text);
  void forget_all_names();
  [[nodiscard]] std::optional<Verdict> begin_unnamed_sql_prepare(const wire::ParseBody& parse);
  [[nodiscard]] bool sequence_values_are_own() const;
  [[nodiscard]] bool set_plainly(const wire::SqlTraits& traits, std::string_view text);
  std::uint64_t text_runs(std::string_view text);
  [[nodiscard]] bool allow_text(std::string_view text);
  [[nodiscard]] bool allow_traits(const wire::SqlTraits& traits, std::string_view text,
                                  bool is_query);
  // client_cancel.cc
  // What is left of a request that was cancelled before it had a server connection.
  enum class Dropping : std::uint8_t {
    nothing,
    request,      // its first message is next
    one_message,  // a Query, with which it ends
    to_sync,      // messages of the extended protocol
  };
  [[nodiscard]] Verdict drop_cancelled(char type);
  void dropped(char type);

  void send_text(std::string_view messages);
  void leave_server();
  void end(bool after_last_words);
  void arm_timer();
  [[nodiscard]] ring::Duration idle_session_limit() const;
  void overrides_are(const Overrides& overrides);
  [[nodiscard]] bool over_limit(ring::Instant since, ring::Duration limit,
                                ring::Instant& earliest) const;
  void log_disconnect(std::string_view reason) const;

  Shard& shard_;
  // Hot: touched for every message.
  Server* server_ = nullptr;
  Pool* pool_ = nullptr;
  wire::Framer framer_;
  Phase phase_ = Phase::startup;
  bool group_open_ = false;  // messages of the extended protocol without their Sync yet
  bool gathered_ = false;    // the first held message is complete
  bool forwarding_ = false;  // the message under way goes to the server (else it is dropped)
  bool usable_ = false;      // linked and not waiting for an answer to something of ours
  bool waits_for_answers_ = false;
  Begun begun_ = Begun::no;
  bool close_when_idle_ = false;
  bool gone_ = false;  // it has closed its side, and is closed once what it said before is done
  bool waiting_noticed_ = false;
  bool counted_ = false;  // in the process-wide number of clients
  bool logged_in_ = false;
  bool long_cancel_key_ = false;  // it speaks protocol 3.2
  Dropping dropping_ = Dropping::nothing;
  std::uint8_t links_lost_ = 0;  // in a row
  bool replay_refused_ = false;  // what it has set cannot be set again
  wire::Replication replication_ = wire::Replication::none;

  std::vector<ring::Slice> held_;  // received while waiting, or a message that is not complete yet
  std::uint64_t gathering_ = 0;    // bytes that message lacks
  std::string collected_;          // a message that is needed in one piece, as far as it is here
  std::uint64_t collecting_ = 0;   // bytes it lacks
  std::uint32_t replaced_ = 0;  // so many bytes of the message under way are not sent as they are
  std::uint64_t prepared_again_ = 0;              // the statement whose description was waited for
  std::unique_ptr<ClientStatements> statements_;  // once it has prepared one
  std::unique_ptr<ShareAsked> share_;             // once it has asked for what may share
  std::unique_ptr<Reused> reused_;                // once a Parse of its was not sent
  std::unique_ptr<std::pair<std::string, std::string>> last_words_;  // SQLSTATE and message
  Defaults defaults_;                                                // as the client was told
  Overrides overrides_;
  std::optional<ring::Duration> idle_limit_;  // its idle_session_timeout, of overrides_
  Overrides startup_overrides_;               // what RESET ALL goes back to
  std::unique_ptr<AbortedBlock> aborted_;     // while begun_ is failed
  std::unique_ptr<ClientLogin> login_;
  std::unique_ptr<ConsoleSession> console_;
  Walsender* walsender_ = nullptr;
  std::string user_;
  std::string database_;
  ring::Timer timer_;
  ring::Instant connected_{};
  ring::Instant
      requested_{};  // when it began to wait, its last request, or the end of the last answer
  ring::Instant transaction_{};  // when the present transaction began
  PeerAddress peer_;
  std::uint32_t cancel_pid_ = 0;
  std::uint64_t id_;
};

}  // namespace pgring
