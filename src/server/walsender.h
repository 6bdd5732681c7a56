// A connection to PostgreSQL that serves one replication client, and nobody before or after it.
//
// What:   logs in with the client's own startup parameters; from then on what one side sends goes to the other
//         as it comes. Its messages are framed only to know where an error of ours may be put in between.
// Owner:  its Shard, that of the client. Life: from the client's login until the stream is closed.
// Bound:  as for other links (flow): above `high` the side that sends is not read from.
// Counts: in ReplicationLimits, not in the budget: PostgreSQL has slots of their own for walsenders.
// Errors: where either side ends, so does the other, after what is queued for it has been sent.
// Source: PostgreSQL docs, protocol-replication.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ring/timer_wheel.h"
#include "src/auth/found_secret.h"
#include "src/server/login_exchange.h"
#include "src/server/tls_opening.h"
#include "src/shard/connection.h"
#include "wire/error_response.h"
#include "wire/framer.h"
#include "wire/replication.h"
#include "wire/scram.h"

namespace pgring {

class Client;
class Shard;

// Where it connects to, and as whom.
struct WalsenderPlace {
  std::string server;  // [server.NAME]
  std::string host;
  std::uint32_t port = 0;
  std::string dbname;
  std::string role;
  ServerTlsConfig tls;
  friend bool operator==(const WalsenderPlace&, const WalsenderPlace&) = default;
};
// Nothing: the configuration does not have the database (any more).
[[nodiscard]] std::optional<WalsenderPlace> walsender_place(const Config& config,
                                                            std::string_view database,
                                                            std::string_view user);

class Walsender final : public Connection {
 public:
  enum class Phase : std::uint8_t { connecting, logging_in, relaying, closing };
  using Parameters = std::vector<std::pair<std::string, std::string>>;

  // REQUIRES: counted in ReplicationLimits; it is taken out there at the end. Parameters: those of the client's
  // startup packet but user and database. Keys and what was found: of this client, as the place's role.
  Walsender(Shard& shard, Client& client, WalsenderPlace place, const Parameters& parameters,
            std::optional<wire::ScramKeys> keys, FoundSecretRef found);
  ~Walsender();

  // An error: nothing was opened.
  [[nodiscard]] std::optional<wire::ParsedError> connect();

  // The loop's events.
  void connected(int error);
  void received(ring::Slice slice);
  void ended(int error);
  void send_failed();
  void sent();
  void timer_due();
  void tls_opened();
  void tls_failed();
  // Its stream is closed: it is to connect once more. False: it could not, and its client has been told.
  [[nodiscard]] bool tries_again() const { return tries_again_ && phase_ == Phase::connecting; }
  [[nodiscard]] bool connect_again();

  // The client's.
  void client_left();
  void stop();  // at once. REQUIRES: the client has left
  // What was forwarded last is a whole message.
  [[nodiscard]] bool between_messages() const { return framer_.at_boundary(); }

  [[nodiscard]] Client* client() const { return client_; }
  [[nodiscard]] const WalsenderPlace& place() const { return place_; }
  [[nodiscard]] const std::string& database() const { return database_; }
  [[nodiscard]] wire::Replication replication() const { return replication_; }
  [[nodiscard]] std::uint32_t backend_pid() const { return backend_pid_; }
  [[nodiscard]] const std::string& cancel_secret() const { return cancel_secret_; }
  [[nodiscard]] ring::Instant created() const { return created_; }
  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] std::string_view state_name() const;

 private:
  void opening_step(TlsOpening::Step step);
  [[nodiscard]] bool try_the_other_way();
  void begin_login();
  void login_received(const ring::Slice& slice);
  void login_failed(wire::ParsedError error);
  void relay(ring::Slice slice);
  // Half-closes once what is queued is sent, and reads to the end.
  void begin_closing();

  Shard& shard_;
  Client* client_;  // null: it has left, or was told the end
  Phase phase_ = Phase::connecting;
  wire::Replication replication_;
  wire::Framer framer_;  // of what goes to the client
  WalsenderPlace place_;
  std::string database_;  // as the client named it
  std::string startup_;   // the packet
  std::unique_ptr<LoginExchange> login_;
  TlsOpening opening_;
  bool tries_again_ = false;
  std::optional<wire::ScramKeys> keys_;
  FoundSecretRef found_;  // by auth.query, of the client's role
  std::uint32_t backend_pid_ = 0;
  std::string cancel_secret_;
  ring::Timer timer_;
  ring::Instant created_{};
  std::uint64_t id_;
};

}  // namespace pgring
