#include "src/session/cancel.h"

#include "src/log/log.h"
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
  if (target.tls != nullptr) opening_ = {shard.config(), target.server, *target.tls};
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
  receive_wanted(true);
  opening_step(opening_.begin(*this));
}

// Never in plaintext what was to be encrypted: the key is as good as a password for its session.
void CancelConnection::opening_step(TlsOpening::Step step) {
  if (step == TlsOpening::Step::waits) return;
  if (step == TlsOpening::Step::failed) {
    log::warning("cancel request could not be sent",
                 {{"shard", shard_.index()}, {"reason", opening_.why()}});
    return close();
  }
  on_its_way_ = true;
  send(ring::Slice::copy_of(request_));
}

void CancelConnection::received(const ring::Slice& slice) {
  if (opening_.awaits_answer()) opening_step(opening_.received(*this, slice.bytes()));
}

void CancelConnection::tls_opened() { opening_step(opening_.opened()); }

void CancelConnection::tls_failed() {
  if (!on_its_way_) return opening_step(opening_.handshake_failed(*tls()));
  close();
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
