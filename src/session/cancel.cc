#include "src/session/cancel.h"

#include "src/server/server.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/message_builder.h"

namespace pgring {

CancelConnection::CancelConnection(Shard& shard, const CancelTarget& target, Server* server,
                                   std::optional<CancelOrigin> origin)
    : Connection{shard, stream_role::cancel}, shard_{shard}, server_{server}, origin_{origin} {
  wire::append_cancel_request(request_, target.backend_pid,
                              std::as_bytes(std::span{target.secret}));
  timer_.owner = this;
  timer_.kind = timer_kind::cancel;
}

bool CancelConnection::start(const SocketAddress& address, ring::Duration limit) {
  const int socket = make_socket(address);
  if (socket < 0) return false;
  if (server_ != nullptr) server_->cancel_started();
  if (limit > ring::Duration{0}) shard_.loop().timers().set(timer_, shard_.now() + limit);
  connect(socket, address.get(), address.size, {.group = buffer_group::server, .one_shot = true});
  return true;
}

void CancelConnection::connected(int error) {
  if (error != 0) return close();
  on_its_way_ = true;
  send(ring::Slice::copy_of(request_));
  receive_wanted(true);
}

void CancelConnection::ended(int error) {
  if (error == 0) on_its_way_ = false;  // PostgreSQL closes it after it has sent the signal
  close();
}

void CancelConnection::closed() {
  ring::TimerWheel::cancel(timer_);
  if (server_ != nullptr) server_->cancel_ended(on_its_way_);
  if (origin_) shard_.cancel_forwarded(*origin_);
}

}  // namespace pgring
