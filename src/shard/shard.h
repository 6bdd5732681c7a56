// One thread: its ring, its clients, its part of every pool. Dispatches the loop's events.
//
// Owner:  Shared holds it; all but post() is for its own thread.
// Life:   open() on the thread, run() until nothing is left to do after a stop.
// Hot path: the on_… functions run once per completion.
// Files:  shard.cc events, clients, pools, commands; shard_cancel.cc cancels; shard_life.cc its end;
//         shard_replication.cc walsenders; shard_tls.cc what is encrypted.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "ring/loop.h"
#include "src/pool/pool.h"
#include "src/server/address.h"
#include "src/session/cancel.h"
#include "src/session/client.h"
#include "src/session/parameters.h"
#include "src/shard/shared.h"
#include "src/shard/tls_work.h"
#include "wire/cancel_secret.h"

namespace pgring {

class Walsender;

// Server connections that came from other shards, and that went to them, since the start.
struct ShardCounters {
  std::uint64_t moves_in = 0, moves_out = 0;
};

class Shard {
 public:
  Shard(Shared& shared, std::uint32_t index, std::shared_ptr<const Runtime> runtime);
  ~Shard();
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  [[nodiscard]] std::optional<ring::SetupError> open();
  // Takes a listening socket.
  void listen(int socket);
  void run();
  void turn();                          // one of run()'s
  [[nodiscard]] bool finished() const;  // nothing is left to do after a stop

  // From any thread.
  void post(ring::Mailbox::Task task) { loop_.mailbox().post(std::move(task)); }

  // The loop's handler.
  void on_accepted(ring::Listener& listener, int socket);
  void on_refused(ring::Listener& listener, int socket);
  void on_connected(ring::Stream& stream, int error);
  void on_received(ring::Stream& stream, ring::Slice slice);
  void on_end(ring::Stream& stream, int error);
  void on_send_failed(ring::Stream& stream, int error);
  void on_sent(ring::Stream& stream);
  void on_quiet(ring::Stream& stream);
  void on_closed(ring::Stream& stream);
  void on_timer(ring::Timer& timer);

  // Clients.
  void hand_over(Client& client, std::uint32_t shard, std::string input, FoundSecretRef found);
  void adopt_client(int socket, PeerAddress peer, std::string startup_packet,
                    std::unique_ptr<TlsEngine> tls, FoundSecretRef found);
  void forget_client(Client& client);

  // Cancels (shard_cancel.cc).
  [[nodiscard]] Client* find_client(std::uint32_t cancel_pid, std::string_view secret) const;
  void register_client(Client& client);  // gives it its key's pid
  void unregister_client(const Client& client);
  [[nodiscard]] std::string cancel_secret(const Client& client) const;  // of its protocol version
  // A client carried a CancelRequest: to the shard it names, and back when it is over.
  void cancel_asked(Client& client, std::uint32_t shard, std::uint32_t pid, std::string secret);
  void cancel(std::uint32_t pid, std::string_view secret, CancelOrigin origin);
  void start_cancel(Server& server, std::optional<CancelOrigin> origin);
  void start_cancel(const Walsender& walsender, std::optional<CancelOrigin> origin);
  void cancel_forwarded(const CancelOrigin& origin);
  void forget_server(const Server& server);

  // A client's login waits for a worker (Shared::workers). From any thread: `then` is called with the client on
  // this shard's thread, unless the client is gone by then.
  void await_worker(Client& client);
  void worker_done(std::uint64_t client, std::move_only_function<void(Client&)> then);

  // A role's secret is to be asked for (SecretLookups): the pool for that is told, wherever it lives.
  void begin_lookup(const Config& config, const LookupPlace& place, const std::string& role,
                    std::uint64_t id);

  // Pools.
  [[nodiscard]] Pool& pool(const PoolKey& key, PoolHome& home, std::uint32_t part);
  [[nodiscard]] const std::map<PoolKey, std::unique_ptr<Pool>>& pools() const { return pools_; }

  // Encrypted connections (shard_tls.cc).
  [[nodiscard]] TlsWork& tls() { return tls_; }
  void tls_received(Connection& connection, ring::Slice slice);

  // Server connections that change shards.
  void move_server(PoolHome& home, std::uint32_t part, ServerState state);
  void adopt_server(PoolHome& home, std::uint32_t part, ServerState state);
  // Destroyed at the end of the turn.
  void retire(std::unique_ptr<Server> server) { retired_servers_.push_back(std::move(server)); }

  // Replication connections (shard_replication.cc).
  using WalsenderMap = std::map<const Walsender*, std::unique_ptr<Walsender>>;
  void keep(std::unique_ptr<Walsender> walsender);  // until its stream is closed
  // An empty name: all databases. Their clients are told the reason.
  void end_replication(std::string_view database, std::string_view reason);
  [[nodiscard]] const WalsenderMap& walsenders() const { return walsenders_; }

  // Commands, on the shard's thread.
  void apply_life();
  void reload(std::shared_ptr<const Runtime> runtime);
  void stop_listening();
  // An empty name: all databases. Pools made later begin as their database is.
  void pause(std::string_view database);
  void resume(std::string_view database);
  [[nodiscard]] bool all_paused() const { return all_paused_; }
  [[nodiscard]] bool is_paused(std::string_view database) const {
    return all_paused_ || paused_.contains(database);
  }
  [[nodiscard]] bool is_paused(const PoolKey& key) const {
    return all_paused_ || (!key.is_for_lookups() && paused_.contains(key.database));
  }

  [[nodiscard]] ring::Loop& loop() { return loop_; }
  [[nodiscard]] const Config& config() const { return runtime_->config; }
  [[nodiscard]] const Runtime& runtime() const { return *runtime_; }
  // To go on with after a reload.
  [[nodiscard]] const std::shared_ptr<const Runtime>& held_runtime() const { return runtime_; }
  [[nodiscard]] Shared& shared() { return shared_; }
  [[nodiscard]] ParameterTable& parameters() { return parameters_; }
  [[nodiscard]] ShardCounters& counters() { return counters_; }
  // For a message that is being made, until the next call.
  [[nodiscard]] std::string& scratch() { return scratch_; }
  [[nodiscard]] std::uint32_t index() const { return index_; }
  [[nodiscard]] ring::Instant now() const { return loop_.now(); }
  [[nodiscard]] std::uint64_t next_id() {
    return shared_.next_id.fetch_add(1, std::memory_order_relaxed);
  }

  using ClientList = IntrusiveList<Client, &Client::all_hook>;
  [[nodiscard]] const ClientList& clients() const { return clients_; }

 private:
  void deliver(Connection& connection, ring::Slice slice);
  void work_on_tls();
  void shake_hands();
  void decrypt(Connection& connection, ring::Slice slice);
  void deliver_pieces(Connection& connection);
  void tls_settled(Connection& connection);
  void tls_opened(Connection& connection);
  void tls_failed(Connection& connection);
  void rest_tls();
  void open_forced_pools();
  [[nodiscard]] bool has_work() const;
  [[nodiscard]] bool only_consoles() const;
  void close_consoles();
  void maintain();
  void maintain_life();
  void count_work();
  void apply_pause();
  void check_replication();
  void resume_replication();
  void start_cancel(const CancelTarget& target, Server* server, std::optional<CancelOrigin> origin);

  Shared& shared_;
  std::uint32_t index_;
  std::shared_ptr<const Runtime> runtime_;
  ring::Loop loop_;
  TlsWork tls_;
  ParameterTable parameters_;
  std::vector<std::unique_ptr<ring::Listener>> listeners_;
  std::map<PoolKey, std::unique_ptr<Pool>> pools_;
  ClientList clients_;
  // Handed over in this turn; destroyed at its end.
  std::vector<std::unique_ptr<Client>> retired_;
  std::vector<std::unique_ptr<Server>> retired_servers_;
  std::map<const Client*, std::unique_ptr<Client>> owned_;
  std::vector<Client*> by_key_;  // cancel key's slot -> client
  std::vector<std::uint32_t> free_keys_;
  wire::CancelSecrets cancel_secrets_;
  std::map<const CancelConnection*, std::unique_ptr<CancelConnection>> cancels_;
  WalsenderMap walsenders_;
  std::map<std::uint64_t, Client*> awaiting_workers_;
  std::map<std::uint64_t, Client*> cancelling_;
  ring::Timer maintenance_;
  ShardCounters counters_;
  std::string scratch_;
  std::set<std::string, std::less<>> paused_;  // databases
  bool all_paused_ = false;
  Life life_ = Life::serving;
  bool works_ = true;  // counted in Shared::working_shards
};

}  // namespace pgring
