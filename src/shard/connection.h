// A stream that may be encrypted: what clients, server connections, walsenders and cancel requests are.
//
// What:   without TLS it is ring::Stream, at the price of one branch per call that is always predicted. With TLS what
//         is sent waits as plaintext until the end of the turn and leaves as few records; what is received is handed
//         on decrypted (Shard, shard_tls.cc), by the same calls as plaintext.
// Owner:  whoever derives from it. Thread: the shard's.
// Life:   begin_tls() when both sides have agreed on TLS: what was sent before it leaves as it is. A connection that
//         changes shards takes its engine along: take_tls().
// Bound:  no more than flow::high_bytes of ciphertext is made ahead; queued_bytes() counts both kinds.
// Errors: the engine's come as Shard::tls_failed(), never from within send().
// Source: docs/architecture.md "TLS".
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "ring/stream.h"
#include "src/base/intrusive_list.h"
#include "src/tls/tls_engine.h"

namespace pgring {

class Connection;
class Shard;

// What a connection has besides, where it is encrypted.
struct TlsSession {
  TlsSession(Connection& owner, std::unique_ptr<TlsEngine> its_engine, ring::SendNodePool& nodes)
      : connection{owner}, engine{std::move(its_engine)}, plain{nodes} {}

  Connection& connection;
  std::unique_ptr<TlsEngine> engine;
  ring::SendQueue plain;     // to be sealed
  ring::Slice received;      // while handshaking: waits for its turn
  bool takes_turns = false;  // something received waits, and nothing more is received meanwhile
  bool receive_wanted = true;
  enum class Use : std::uint8_t { used, rests, released } use = Use::used;  // see Shard::rest_tls
  bool over = false;  // its owner was told that it has failed or that the peer has closed it
  ListHook<TlsSession> all_hook;
  ListHook<TlsSession> seal_hook;
  ListHook<TlsSession> handshake_hook;
};

class Connection : public ring::Stream {
 public:
  Connection(Shard& shard, std::uint8_t role);

  void send(ring::Slice slice) {
    if (tls_ == nullptr) [[likely]]
      return Stream::send(std::move(slice));
    send_sealed(std::move(slice));
  }
  [[nodiscard]] std::size_t queued_bytes() const {
    return Stream::queued_bytes() + (tls_ == nullptr ? 0 : tls_->plain.bytes());
  }
  [[nodiscard]] std::uint32_t queued_ranges() const {
    return Stream::queued_ranges() + (tls_ == nullptr ? 0 : tls_->plain.ranges());
  }
  void receive_wanted(bool wanted);
  void close();
  void finish();
  [[nodiscard]] bool is_quiet() const {
    return Stream::is_quiet() &&
           (tls_ == nullptr || (tls_->plain.empty() && !tls_->engine->wants_write()));
  }

  // REQUIRES: no TLS yet, and nothing was received behind the words that agreed on it.
  void begin_tls(std::unique_ptr<TlsEngine> engine);
  // Null: it is not encrypted. REQUIRES: is_quiet(), and nothing that was received waits to be decrypted.
  [[nodiscard]] std::unique_ptr<TlsEngine> take_tls();
  // The stream is closed and may be opened again.
  void end_tls();
  [[nodiscard]] const TlsEngine* tls() const {
    return tls_ == nullptr ? nullptr : tls_->engine.get();
  }
  [[nodiscard]] TlsSession* tls_session() const { return tls_.get(); }

  // The shard's: makes records of what waits, up to the bound. In its turn what was received during a handshake.
  void seal();
  void wait_for_turn(ring::Slice slice);
  [[nodiscard]] ring::Slice take_turn();
  void turn_over();
  // Ciphertext has left.
  void sealed_sent();

 protected:
  ~Connection();

 private:
  void send_sealed(ring::Slice slice);
  void seal_up_to(std::size_t limit);
  void seal_in_this_turn();

  Shard& owner_;
  std::unique_ptr<TlsSession> tls_;
};

}  // namespace pgring
