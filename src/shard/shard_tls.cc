// The encrypted connections of a shard: what they receive is decrypted, what they send is sealed at the end of a turn,
// and handshakes take turns.
#include "src/log/log.h"
#include "src/server/server.h"
#include "src/server/walsender.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/byte_reader.h"

namespace pgring {
namespace {

// Of a turn, for handshakes: a signature takes up to 0.6 ms, and others wait meanwhile.
constexpr ring::Duration handshakes_per_turn = std::chrono::microseconds{500};

}  // namespace

void Shard::tls_received(Connection& connection, ring::Slice slice) {
  if (connection.tls_session()->engine->state() == TlsEngine::State::handshaking)
    return connection.wait_for_turn(std::move(slice));
  decrypt(connection, std::move(slice));
}

// Before each turn of the loop.
void Shard::work_on_tls() {
  if (!tls_.handshaking.empty()) shake_hands();
  while (TlsSession* const session = tls_.to_seal.front()) {
    tls_.to_seal.erase(*session);
    Connection& connection = session->connection;
    connection.seal();
    if (connection.tls() != nullptr) tls_settled(connection);
  }
}

// One step of each, oldest first, until the time is up.
void Shard::shake_hands() {
  const ring::Instant begun = loop_.kernel().now();
  while (TlsSession* const session = tls_.handshaking.front()) {
    Connection& connection = session->connection;
    ring::Slice slice = connection.take_turn();
    if (connection.is_open()) decrypt(connection, std::move(slice));
    // It may have moved to another shard with what it said behind its handshake.
    if (connection.tls() != nullptr) connection.turn_over();
    if (loop_.kernel().now() - begun >= handshakes_per_turn) break;
  }
  if (!tls_.handshaking.empty()) loop_.again();
}

void Shard::decrypt(Connection& connection, ring::Slice slice) {
  TlsSession& session = *connection.tls_session();
  TlsEngine& engine = *session.engine;
  session.use = TlsSession::Use::used;
  const bool handshaking = engine.state() == TlsEngine::State::handshaking;
  const auto input = slice.writable();
  auto done = engine.receive(input, input);
  auto rest = input.subspan(done.consumed);
  std::vector<ring::Slice>& pieces = tls_.pieces;
  if (done.plain > 0) pieces.push_back(slice.share(0, static_cast<std::uint32_t>(done.plain)));
  while (done.more) {
    // A record that had begun in an earlier buffer is longer than its part in this one.
    const auto room =
        tls_.plain.reserve(static_cast<std::uint32_t>(rest.size() + TlsEngine::record_plain_max));
    done = engine.receive(rest, room);
    rest = rest.subspan(done.consumed);
    if (done.plain > 0) pieces.push_back(tls_.plain.take(static_cast<std::uint32_t>(done.plain)));
  }
  connection.sealed_sent();
  if (handshaking && engine.is_open()) tls_opened(connection);
  deliver_pieces(connection);
  if (connection.tls() != nullptr) tls_settled(connection);
}

void Shard::deliver_pieces(Connection& connection) {
  std::vector<ring::Slice>& pieces = tls_.pieces;
  // A client that logs in may go to another shard with what it has said so far: that is then all of it.
  const bool whole = pieces.size() > 1 && connection.role() == stream_role::client &&
                     static_cast<Client&>(connection).logs_in();
  if (whole) {
    std::string text;
    for (const auto& piece : pieces) text += wire::as_text(piece.bytes());
    pieces.clear();
    pieces.push_back(ring::Slice::copy_of(text));
  }
  for (auto& piece : pieces) {
    if (connection.is_open()) deliver(connection, std::move(piece));
  }
  pieces.clear();
}

// Tells its owner once that it has failed, or that the peer says no more.
void Shard::tls_settled(Connection& connection) {
  TlsSession& session = *connection.tls_session();
  const TlsEngine& engine = *session.engine;
  const bool failed = engine.state() == TlsEngine::State::failed;
  if (session.over || !connection.is_open() || !(failed || engine.peer_closed())) return;
  session.over = true;
  if (!failed) return on_end(connection, 0);
  tls_failed(connection);
}

void Shard::tls_opened(Connection& connection) {
  switch (connection.role()) {
    case stream_role::server:
      return static_cast<Server&>(connection).tls_opened();
    case stream_role::walsender:
      return static_cast<Walsender&>(connection).tls_opened();
    case stream_role::cancel:
      return static_cast<CancelConnection&>(connection).tls_opened();
    default:
      return;
  }
}

void Shard::tls_failed(Connection& connection) {
  switch (connection.role()) {
    case stream_role::client:
      return static_cast<Client&>(connection).tls_failed();
    case stream_role::server:
      return static_cast<Server&>(connection).tls_failed();
    case stream_role::walsender:
      return static_cast<Walsender&>(connection).tls_failed();
    default:
      return static_cast<CancelConnection&>(connection).tls_failed();
  }
}

// Once a second. OpenSSL's record buffers are most of what a connection that rests holds.
void Shard::rest_tls() {
  for (TlsSession* session = tls_.all.front(); session != nullptr;
       session = decltype(tls_.all)::next(*session)) {
    using Use = TlsSession::Use;
    if (session->use == Use::used) {
      session->use = Use::rests;
    } else if (session->use == Use::rests && session->engine->release_buffers()) {
      session->use = Use::released;
    }
  }
}

}  // namespace pgring
