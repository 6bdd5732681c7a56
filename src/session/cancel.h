// Cancel requests: from the client that sent one to the connection it means.
//
// A key's pid says the shard and the slot of the client (wire: BackendKeyData), its secret, which the client's
// protocol version makes 4 or 32 bytes long, proves it. The request goes to that shard. If that client has a
// query running there, a connection of its own carries it to PostgreSQL. Until that connection is at its end,
// when PostgreSQL has sent the signal, the server connection is not given to anybody else: a late cancel can
// never hit another client's query; where that end is not seen, the server connection is not used again. A
// client that waits for a server connection stops waiting (client_cancel.cc). The connection the request came
// on stays open until it is over, as PostgreSQL keeps it. A request that is refused looks the same from
// outside.
// Source: protocol-flow, "Canceling Requests in Progress".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "ring/timer_wheel.h"
#include "src/server/address.h"
#include "src/server/tls_opening.h"
#include "src/shard/connection.h"

namespace pgring {

class Server;
class Shard;

// Which connection waits for the request to be over.
struct CancelOrigin {
  std::uint32_t shard = 0;
  std::uint64_t client_id = 0;
};

namespace cancel_key {
// 1 | shard:8 | slot:22, a positive 31-bit number like a process id.
inline constexpr std::uint32_t slot_bits = 22;
inline constexpr std::uint32_t slots_max = 1U << slot_bits;
inline constexpr std::uint32_t marker = 1U << 30;
[[nodiscard]] constexpr std::uint32_t pid(std::uint32_t shard, std::uint32_t slot) {
  return marker | shard << slot_bits | slot;
}
[[nodiscard]] constexpr std::uint32_t shard(std::uint32_t pid) {
  return (pid & ~marker) >> slot_bits;
}
[[nodiscard]] constexpr std::uint32_t slot(std::uint32_t pid) { return pid & (slots_max - 1); }
}  // namespace cancel_key

// Whose query is to be cancelled. Views into the connection it is of.
struct CancelTarget {
  std::string_view server;  // [server.NAME]
  std::uint32_t backend_pid = 0;
  std::string_view secret;
  const TlsEngine* tls = nullptr;  // it is encrypted: so is the request
};

// Carries one CancelRequest to PostgreSQL. Owner: its Shard, until its stream is closed.
class CancelConnection final : public Connection {
 public:
  // server: the connection that is not to be released meanwhile, if one could be.
  CancelConnection(Shard& shard, const CancelTarget& target, Server* server,
                   std::optional<CancelOrigin> origin);
  ~CancelConnection() = default;

  // False: no socket could be made.
  [[nodiscard]] bool start(const SocketAddress& address, ring::Duration limit);
  void connected(int error);
  void received(const ring::Slice& slice);
  void ended(int error);
  void timer_due() { close(); }
  void tls_opened();
  void tls_failed();
  // PostgreSQL has closed it, or it was given up.
  void closed();

  [[nodiscard]] const Server* server() const { return server_; }
  void forget_server() { server_ = nullptr; }

 private:
  void opening_step(TlsOpening::Step step);

  Shard& shard_;
  TlsOpening opening_;
  Server* server_;  // null: it closed meanwhile, or nothing waits
  std::optional<CancelOrigin> origin_;
  std::string request_;
  ring::Timer timer_;
  bool on_its_way_ = false;  // sent, and PostgreSQL has not said by its end that it has acted
};

}  // namespace pgring
