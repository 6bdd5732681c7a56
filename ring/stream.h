// One connected (or connecting) stream socket on a loop. Hot path: once per message in each direction.
//
// What:   receives into buffers of a group as long as somebody wants to, keeps what is to be sent in order
//         with at most one send in flight, and closes so that no operation ever names a descriptor that
//         has become somebody else's.
// Owner:  whoever derives from it (client, server connection …); not movable. All calls on the loop's thread.
// Life:   open()/connect() takes the descriptor. close() or a dead peer end it; the owner may be destroyed
//         after the loop reported `closed` or release() gave the descriptor away, or if it was never opened.
// Bound:  receive_wanted(false) stops receiving after at most `credit` further bytes (one buffer where the
//         kernel has no credit receives); queued() says what waits to be sent. Back-pressure is the
//         owner's: want no more from one peer while much is queued for the other.
// Errors: reported to the loop's handler, see Loop.
#pragma once

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

#include "ring/send_queue.h"
#include "ring/slice.h"

namespace ring {

class Loop;

struct ReceiveOptions {
  std::uint16_t group = 0;
  std::uint32_t credit = 0;  // bytes after which a receive must be asked for again
  bool one_shot = false;     // never more than one buffer ahead (while logging in)
};

class Stream {
 public:
  // role: what the owner is; the loop's handler switches on it.
  Stream(Loop& loop, std::uint8_t role);
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  void open(int socket, const ReceiveOptions& receive);
  // Takes the unconnected socket; `address` is copied. Completion: Handler::on_connected. What is sent or
  // wanted before that happens once connected.
  void connect(int socket, const sockaddr* address, socklen_t size, const ReceiveOptions& receive);

  void receive_wanted(bool wanted);
  // From the next receive on; one already in flight ends as it began.
  void receive_options(const ReceiveOptions& receive) { receive_ = receive; }

  // Takes the bytes over; they leave with the loop's next turn, in order. After the peer is gone or the
  // stream is closing they are dropped.
  void send(Slice slice);
  [[nodiscard]] std::size_t queued_bytes() const { return queue_.bytes(); }
  [[nodiscard]] std::uint32_t queued_ranges() const { return queue_.ranges(); }

  // At once: what is queued is dropped.
  void close();
  // After what is queued is sent: half-closes, then drops what still comes until the peer closes too. The
  // owner sets a time limit and calls close() at its end.
  void finish();
  // Receives no more and, once nothing is in flight, says so: Handler::on_quiet, never from within this call.
  // Then release() may follow, and not one byte is lost: what came before the receive was stopped is
  // delivered as ever (on_received, on_end), and on_quiet comes all the same; what comes later waits in the
  // socket. receive_wanted(true), finish() and close() end it, and on_quiet does not come any more.
  // REQUIRES: is_open().
  void quiesce();
  // Gives the descriptor away with nothing in flight. REQUIRES: is_quiet().
  [[nodiscard]] int release();

  [[nodiscard]] std::uint8_t role() const { return role_; }
  [[nodiscard]] int socket() const { return socket_; }
  [[nodiscard]] std::uint32_t slot() const { return slot_; }
  [[nodiscard]] bool is_open() const { return state_ == State::open; }
  [[nodiscard]] bool is_idle() const { return state_ == State::idle; }
  // No operation is in flight and nothing is queued.
  [[nodiscard]] bool is_quiet() const { return !in_flight() && queue_.empty(); }

 protected:
  // For queues of the owner's own.
  [[nodiscard]] SendNodePool& nodes() const;
  // Not public: nobody destroys an owner through this.
  ~Stream();

 private:
  friend class Loop;
  enum class State : std::uint8_t { idle, open, finishing, lingering, closing };

  void arm();
  void stop_receiving();
  void settle();      // closing with nothing in flight: tell the loop
  void note_quiet();  // quiescing, likewise
  [[nodiscard]] bool in_flight() const {
    return receiving_ || sending_ || connecting_ || stopping_;
  }

  Loop& loop_;
  SendQueue queue_;
  ReceiveOptions receive_;
  int socket_ = -1;
  std::uint32_t slot_ = 0;
  std::uint32_t ranges_in_flight_ = 0;
  std::uint16_t armed_group_ = 0;  // of the receive in flight, or of the one that starved
  State state_ = State::idle;
  std::uint8_t role_;
  bool multishot_ = false;  // receives may complete more than once
  bool receive_wanted_ = false;
  bool receiving_ = false;
  bool stopping_ = false;  // a cancel of the receive is in flight
  bool stopped_ = false;   // … or was, and the receive is still the same: it may end as cancelled
  bool quiescing_ = false;
  bool quiet_due_ = false;  // in the loop's list of streams that have become quiet
  bool starved_ = false;    // waits for buffers
  bool sending_ = false;
  bool send_failed_ = false;
  bool connecting_ = false;
  bool ended_ = false;    // end of stream or error seen on the receiving side
  bool dirty_ = false;    // in the loop's list of streams with something to send
  bool settled_ = false;  // in the loop's list of streams to be closed
};

}  // namespace ring
