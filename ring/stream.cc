#include "ring/stream.h"

#include <utility>

#include "ring/check.h"
#include "ring/loop.h"

namespace ring {

Stream::Stream(Loop& loop, std::uint8_t role) : loop_{loop}, queue_{loop.nodes_}, role_{role} {}

Stream::~Stream() { RING_CHECK(state_ == State::idle); }

SendNodePool& Stream::nodes() const { return loop_.nodes_; }

void Stream::open(int socket, const ReceiveOptions& receive) {
  RING_CHECK(state_ == State::idle && socket >= 0);
  socket_ = socket;
  slot_ = loop_.take_slot(this);
  receive_ = receive;
  state_ = State::open;
  multishot_ =
      loop_.kernel_.capabilities().credit_receive && loop_.kernel_.multishot_reports_end(socket);
  receive_wanted_ = receiving_ = starved_ = sending_ = send_failed_ = connecting_ = ended_ =
      settled_ = stopping_ = stopped_ = quiescing_ = false;
  ranges_in_flight_ = 0;
}

void Stream::connect(int socket, const sockaddr* address, socklen_t size,
                     const ReceiveOptions& receive) {
  open(socket, receive);
  connecting_ = true;
  loop_.connect(*this, address, size);
}

void Stream::receive_wanted(bool wanted) {
  if (wanted) quiescing_ = false;
  if (receive_wanted_ == wanted) return;
  receive_wanted_ = wanted;
  if (wanted && !receiving_) arm();
}

void Stream::arm() {
  // Not while it is being stopped: a new receive has the name of the old one, and would be cancelled for it.
  if (receiving_ || stopping_ || starved_ || ended_ || connecting_) return;
  if (state_ == State::open ? !receive_wanted_ : state_ != State::lingering) return;
  const bool multishot = multishot_ && !receive_.one_shot;
  receiving_ = true;
  stopped_ = false;
  armed_group_ = receive_.group;
  loop_.kernel_.receive(socket_, receive_.group,
                        multishot ? ReceiveKind::multishot : ReceiveKind::one_shot,
                        multishot ? receive_.credit : 0, loop_.name(Operation::receive, slot_));
}

void Stream::send(Slice slice) {
  if (state_ != State::open || send_failed_) return;
  queue_.push(std::move(slice), ranges_in_flight_);
  if (!sending_) loop_.mark_dirty(*this);
}

void Stream::close() {
  if (state_ == State::idle || state_ == State::closing) return;
  state_ = State::closing;
  receive_wanted_ = false;
  quiescing_ = false;
  starved_ = false;
  if (!sending_) queue_.clear();
  if (in_flight()) {
    // Ends an armed receive and a blocked send; a connect in progress is cancelled by name.
    if (connecting_) {
      loop_.kernel_.cancel(loop_.name(Operation::connect, slot_), {Operation::cancel, 0, 0});
    } else {
      (void)loop_.kernel_.shutdown(socket_, SHUT_RDWR);  // ENOTCONN: the peer was faster
    }
  }
  settle();
}

void Stream::finish() {
  if (state_ != State::open && state_ != State::finishing) return;
  quiescing_ = false;
  if (connecting_ || (!queue_.empty() && !send_failed_)) {
    state_ = State::finishing;
    return;
  }
  // Sent: tell the peer, and read on until it closes. Closing with unread bytes would send a reset, which
  // can overtake what was sent.
  if (ended_ || loop_.kernel_.shutdown(socket_, SHUT_WR) != 0) {
    state_ = State::open;
    return close();
  }
  state_ = State::lingering;
  arm();
}

void Stream::quiesce() {
  RING_CHECK(state_ == State::open);
  receive_wanted_ = false;
  quiescing_ = true;
  if (receiving_) stop_receiving();
  note_quiet();
}

void Stream::stop_receiving() {
  if (stopping_) return;
  stopping_ = stopped_ = true;
  loop_.kernel_.cancel(loop_.name(Operation::receive, slot_), loop_.name(Operation::stop, slot_));
}

void Stream::note_quiet() {
  if (!quiescing_ || quiet_due_ || !is_quiet()) return;
  quiet_due_ = true;
  loop_.quiet_.push_back(this);
}

int Stream::release() {
  RING_CHECK(state_ == State::open && is_quiet());
  const int socket = std::exchange(socket_, -1);
  loop_.forget(*this);
  return socket;
}

void Stream::settle() {
  if (state_ != State::closing || in_flight() || settled_) return;
  settled_ = true;
  loop_.settled_.push_back(this);
}

}  // namespace ring
