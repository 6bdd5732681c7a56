// How a client's connection becomes an encrypted one: by SSLRequest, or by beginning with TLS at once.
//
// Nothing that came in plaintext is kept when TLS begins (src/tls/negotiation.h): what stands behind an SSLRequest in
// the same packet ends the connection (client_login.cc), what comes later goes to the engine, which takes TLS only.
// Source: protocol-flow, "SSL Session Encryption"; src/backend/tcop/backend_startup.c, ProcessSSLStartup.
#include "src/log/log.h"
#include "src/session/client.h"
#include "src/session/client_login.h"
#include "src/shard/shard.h"
#include "src/tls/negotiation.h"
#include "src/tls/tls_context.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

// How long the alert may take that tells the peer.
constexpr ring::Duration linger = std::chrono::seconds{2};

}  // namespace

void Client::answer_encryption_request(bool is_ssl) {
  const auto& context = shard_.config().tls_contexts.clients;
  if (!is_ssl || tls() != nullptr || context == nullptr || peer_.is_unix())
    return send(ring::Slice::of_static("N"));
  send(ring::Slice::of_static("S"));
  begin_tls(TlsEngine::accept(context, TlsEngine::Start::negotiated));
}

bool Client::begins_with_tls(const ring::Slice& slice) const {
  const bool first = login_->input.empty() && !login_->encryption_asked && !login_->gss_asked;
  return first && tls() == nullptr && !peer_.is_unix() &&
         shard_.config().tls_contexts.clients != nullptr && pgring::begins_with_tls(slice.bytes());
}

void Client::begin_tls_directly(ring::Slice slice) {
  login_->encryption_asked = true;
  begin_tls(TlsEngine::accept(shard_.config().tls_contexts.clients, TlsEngine::Start::direct));
  shard_.tls_received(*this, std::move(slice));
}

// Cancel requests may always be: libpq before 17 sends them so.
bool Client::may_be_unencrypted() {
  const TlsMode mode = shard_.config().tls.mode;
  const bool required =
      mode == TlsMode::require || mode == TlsMode::verify_ca || mode == TlsMode::verify_full;
  if (!required || tls() != nullptr || peer_.is_unix()) return true;
  fatal(wire::sqlstate::invalid_authorization_specification, "SSL connection is required", {},
        "Connect with sslmode=require or better.");
  return false;
}

void Client::tls_failed() {
  if (phase_ == Phase::closing) return close();
  log::info("TLS connection failed", {{"shard", shard_.index()},
                                      {"conn", id_},
                                      {"address", peer_.text()},
                                      {"reason", tls()->failure()},
                                      {"hint", tls()->failure_hint()}});
  if (logged_in_) log_disconnect("TLS failed");
  leave_server();
  phase_ = Phase::closing;
  shard_.loop().timers().set(timer_, shard_.now() + linger);
  finish();
}

bool Client::binds_channels() const {
  return tls() != nullptr && !tls()->context().channel_binding().empty();
}

}  // namespace pgring
