#include "ring/listener.h"

#include "ring/check.h"
#include "ring/loop.h"

namespace ring {

Listener::~Listener() { RING_CHECK(socket_ < 0); }

void Listener::start(int socket, std::uint32_t tag) {
  RING_CHECK(socket_ < 0 && socket >= 0);
  socket_ = socket;
  tag_ = tag;
  slot_ = loop_.take_slot(this);
  retry_.owner = this;
  retry_.kind = Timer::kind_of_loop;
  stopping_ = false;
  arm();
}

void Listener::arm() {
  if (accepting_ || socket_ < 0) return;
  if (stopping_) {
    loop_.kernel_.close(socket_);
    if (spare_ >= 0) loop_.kernel_.close(spare_);
    socket_ = spare_ = -1;
    loop_.free_slot(slot_);
    return;
  }
  if (spare_ < 0) spare_ = loop_.kernel_.reserve_descriptor();
  accepting_ = true;
  loop_.kernel_.accept(socket_, loop_.name(Operation::accept, slot_));
}

void Listener::stop() {
  if (socket_ < 0 || stopping_) return;
  stopping_ = true;
  TimerWheel::cancel(retry_);
  if (accepting_) {
    loop_.kernel_.cancel(loop_.name(Operation::accept, slot_), {Operation::cancel, 0, 0});
  } else {
    arm();
  }
}

}  // namespace ring
