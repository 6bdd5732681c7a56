// A connection from an application.
//
// What:   logs in, then has its messages forwarded to a server connection while it is linked to one. Waiting,
//         it keeps what it sent so far; idle, it holds nothing but its place.
// Owner:  its Shard; handed over once, after the startup packet, to the shard where its pool lives.
// Life:   from accept until its stream is closed; then the shard destroys it.
// Files:  client.cc life and links, client_login.cc and client_auth.cc the login, client_relay.cc messages
//         (hot path), replication.cc clients that replicate.
// Errors: a client that breaks the protocol gets a FATAL with its SQLSTATE and is closed; nobody else notices.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ring/stream.h"
#include "ring/timer_wheel.h"
#include "src/base/intrusive_list.h"
#include "src/session/parameters.h"
#include "src/session/peer_address.h"
#include "wire/error_response.h"
#include "wire/framer.h"
#include "wire/replication.h"
#include "wire/startup.h"

namespace pgring {

class ConsoleSession;
class Pool;
class Server;
class Shard;
class Walsender;
struct ClientLogin;

class Client final : public ring::Stream {
 public:
  enum class Phase : std::uint8_t {
    startup,         // the startup packet is awaited
    authenticating,  // a password message is awaited
    login_waiting,   // authenticated; waits for a server connection that tells or checks parameters
    idle,
    waiting,      // for a server connection
    linked,       // has one
    replicating,  // has a connection to PostgreSQL of its own, or is about to
    console,      // talks to pgring itself
    cancelling,   // carried a CancelRequest that is on its way
    closing,
  };

  Client(Shard& shard, PeerAddress peer);
  ~Client();

  // A new connection; or one that another shard has read the startup packet of.
  void start(int socket);
  void adopt(int socket, std::string startup_packet);

  // The loop's events.
  void received(ring::Slice slice);
  void ended(int error);
  void send_failed(int error);
  void sent();
  void timer_due();

  // The pool's and the server connection's.
  void linked_to(Server& server) { server_ = &server; }
  void wait_begun();
  void server_usable();  // the link is ready for this client's messages
  void answered(ring::Instant now) { requested_ = now; }  // nothing is outstanding any more
  void unlink();  // the server connection is free of this client
  void server_refused(const wire::ParsedError& error);  // no server connection can be had
  // Its server connection has ended. No message: the server's own last words were passed on. Not readable:
  // in the middle of a message to this client.
  void server_lost(std::string_view sqlstate, std::string_view message, bool readable);
  // Which limit stopped it and who holds it; what can be done about that.
  void wait_expired(std::string_view detail, std::string_view hint);
  void notify_waiting();
  void parameter_changed(const Defaults& defaults, const Overrides& overrides);
  void parameters_canonical(const Overrides& overrides);
  void parameters_reset() { overrides_ = startup_overrides_; }
  void defaults_are(const Defaults& defaults);
  // Something it sent is not wholly forwarded, or a group is not ended by Sync.
  [[nodiscard]] bool between_messages() const { return !group_open_ && !framer_.inside_body(); }
  [[nodiscard]] bool may_have_set() const { return may_have_set_; }
  [[nodiscard]] bool may_have_reset_all() const { return may_have_reset_all_; }
  [[nodiscard]] bool closes_when_idle() const { return close_when_idle_; }

  // Its connection for replication: usable, not to be had, at its end.
  void replication_ready(const ParameterList& parameters);
  void replication_refused(const wire::ParsedError& error);
  void replication_ended(std::string_view reason);
  // A pause is over.
  void resume_replication();

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
  [[nodiscard]] std::uint32_t cancel_secret() const { return cancel_secret_; }
  void set_cancel_key(std::uint32_t pid, std::uint32_t secret) {
    cancel_pid_ = pid;
    cancel_secret_ = secret;
  }
  [[nodiscard]] ConsoleSession* console() const { return console_.get(); }  // phase console only
  [[nodiscard]] bool counted() const { return counted_; }
  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] std::string_view state_name() const;
  [[nodiscard]] Shard& shard() const { return shard_; }
  [[nodiscard]] bool waits() const {
    return phase_ == Phase::waiting || phase_ == Phase::login_waiting;
  }
  [[nodiscard]] bool waiting_noticed() const { return waiting_noticed_; }

  ListHook<Client> waiting_hook;  // in its pool's waiters
  ListHook<Client> all_hook;      // in its shard's clients

 private:
  // client_login.cc
  void login_received(const ring::Slice& slice);
  [[nodiscard]] bool startup_packet(std::string_view packet);
  [[nodiscard]] bool startup_message(const wire::StartupMessage& message, std::string_view packet);
  [[nodiscard]] bool move_home();
  [[nodiscard]] bool read_parameters(const wire::StartupMessage& message);

  // client_auth.cc
  void begin_authentication();
  void begin_scram();
  [[nodiscard]] bool password_message(std::span<const std::byte> body);
  [[nodiscard]] bool md5_answer(std::span<const std::byte> body);
  [[nodiscard]] bool scram_answer(std::span<const std::byte> body);
  void authentication_failed();

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
  [[nodiscard]] Verdict begin_unlinked(const wire::Framer::Part& part);
  void gather(ring::Slice slice);
  [[nodiscard]] bool note_text(const wire::Framer::Part& part, std::span<const std::byte> chunk);
  void note_settings(std::string_view text, bool whole);
  void end_message(char type);
  void hold(ring::Slice slice);
  void resume();

  void send_text(std::string_view messages);
  void leave_server();
  void end(bool after_last_words);
  void arm_timer();
  [[nodiscard]] bool over_limit(ring::Instant since, ring::Duration limit,
                                ring::Instant& earliest) const;
  void log_disconnect(std::string_view reason) const;

  Shard& shard_;

  // Hot: touched for every message.
  Server* server_ = nullptr;
  Pool* pool_ = nullptr;
  wire::Framer framer_;
  Phase phase_ = Phase::startup;
  bool group_open_ = false;    // messages of the extended protocol without their Sync yet
  bool gathered_ = false;      // the first held message is complete
  bool forwarding_ = false;    // the message under way goes to the server (else it is dropped)
  bool may_have_set_ = false;  // a text of this link may have changed settings
  bool may_have_reset_all_ = false;  // likewise RESET ALL
  bool usable_ = false;              // linked and not waiting for a replay
  bool close_when_idle_ = false;
  bool waiting_noticed_ = false;
  bool counted_ = false;  // in the process-wide number of clients
  bool logged_in_ = false;
  wire::Replication replication_ = wire::Replication::none;

  std::vector<ring::Slice> held_;  // received while waiting, or a message that is not complete yet
  std::uint64_t gathering_ = 0;    // bytes that message lacks
  std::unique_ptr<std::pair<std::string, std::string>> last_words_;  // SQLSTATE and message
  Defaults defaults_;                                                // as the client was told
  Overrides overrides_;
  Overrides startup_overrides_;  // what RESET ALL goes back to
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
  std::uint32_t cancel_secret_ = 0;
  std::uint64_t id_;
};

}  // namespace pgring
