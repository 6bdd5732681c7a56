#include "src/shard/connection.h"

#include <array>
#include <limits>
#include <utility>

#include "src/base/check.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"

namespace pgring {
namespace {

constexpr std::size_t ranges_max = 64;  // as the loop gathers of plaintext
// For what an engine has to say on its own account, besides a record.
constexpr std::size_t aside = 4096;

}  // namespace

Connection::Connection(Shard& shard, std::uint8_t role)
    : Stream{shard.loop(), role}, owner_{shard} {}

Connection::~Connection() {
  if (tls_ != nullptr) owner_.tls().forget(*tls_);
}

void Connection::begin_tls(std::unique_ptr<TlsEngine> engine) {
  POOLER_CHECK(tls_ == nullptr);
  tls_ = std::make_unique<TlsSession>(*this, std::move(engine), nodes());
  owner_.tls().all.push_back(*tls_);
  seal_in_this_turn();
}

std::unique_ptr<TlsEngine> Connection::take_tls() {
  if (tls_ == nullptr) return nullptr;
  POOLER_CHECK(tls_->plain.empty() && !tls_->engine->wants_write() && tls_->received.empty());
  auto engine = std::move(tls_->engine);
  owner_.tls().forget(*tls_);
  tls_.reset();
  return engine;
}

void Connection::end_tls() {
  if (tls_ == nullptr) return;
  owner_.tls().forget(*tls_);
  tls_.reset();
}

void Connection::receive_wanted(bool wanted) {
  if (tls_ != nullptr) [[unlikely]] {
    tls_->receive_wanted = wanted;
    if (tls_->takes_turns) return;
  }
  Stream::receive_wanted(wanted);
}

void Connection::close() {
  if (tls_ != nullptr) tls_->plain.clear();
  Stream::close();
}

void Connection::finish() {
  if (tls_ != nullptr && is_open()) {
    seal_up_to(std::numeric_limits<std::size_t>::max());
    tls_->engine->close();
    seal_up_to(std::numeric_limits<std::size_t>::max());
    tls_->plain.clear();
  }
  Stream::finish();
}

void Connection::send_sealed(ring::Slice slice) {
  if (!is_open()) return;
  tls_->plain.push(std::move(slice), 0);
  seal_in_this_turn();
}

void Connection::seal_in_this_turn() {
  if (!tls_->seal_hook.linked()) owner_.tls().to_seal.push_back(*tls_);
}

void Connection::sealed_sent() {
  if (!tls_->plain.empty() || tls_->engine->wants_write()) seal_in_this_turn();
}

void Connection::seal() { seal_up_to(flow::high_bytes); }

void Connection::seal_up_to(std::size_t limit) {
  TlsEngine& engine = *tls_->engine;
  TlsWork& work = owner_.tls();
  tls_->use = TlsSession::Use::used;
  while (is_open() && Stream::queued_bytes() <= limit &&
         (!tls_->plain.empty() || engine.wants_write())) {
    std::array<iovec, ranges_max> ranges{};
    const std::uint32_t count = tls_->plain.gather(ranges);
    const std::size_t most = std::min(tls_->plain.bytes(), TlsEngine::record_plain_max);
    const auto room = work.cipher.reserve(static_cast<std::uint32_t>(most + aside));
    const auto done = engine.send(std::span{ranges}.first(count), room, work.scratch);
    if (done.cipher > 0) Stream::send(work.cipher.take(static_cast<std::uint32_t>(done.cipher)));
    tls_->plain.pop(done.taken);
    if (done.cipher == 0) return;  // a handshake is under way, or it has ended
  }
}

void Connection::wait_for_turn(ring::Slice slice) {
  POOLER_CHECK(!tls_->takes_turns);
  tls_->received = std::move(slice);
  tls_->takes_turns = true;
  Stream::receive_wanted(false);
  owner_.tls().handshaking.push_back(*tls_);
}

ring::Slice Connection::take_turn() {
  owner_.tls().handshaking.erase(*tls_);
  return std::move(tls_->received);
}

void Connection::turn_over() {
  tls_->takes_turns = false;
  if (is_open()) Stream::receive_wanted(tls_->receive_wanted);
}

}  // namespace pgring
