#include "src/server/tls_opening.h"

#include <utility>

#include "src/tls/tls_context.h"

namespace pgring {
namespace {

constexpr std::string_view ssl_request{"\0\0\0\x08\x04\xd2\x16\x2f", 8};

}  // namespace

TlsOpening::TlsOpening(const Config& config, std::string_view server) {
  const auto entry = config.servers.find(server);
  const auto context = config.tls_contexts.servers.find(server);
  // Unix sockets are not encrypted: nobody but root can listen in.
  if (entry == config.servers.end() || entry->second.host.starts_with('/') ||
      context == config.tls_contexts.servers.end() || context->second == nullptr)
    return;
  context_ = context->second;
  host_ = entry->second.host;
  attempts_ = tls_attempts(entry->second.tls.mode);
  direct_ = entry->second.tls.negotiation == TlsNegotiation::direct;
  encrypts_ = attempts_.tls_first;
}

TlsOpening::TlsOpening(const Config& config, std::string_view server, const TlsEngine& like)
    : TlsOpening{config, server} {
  context_ = like.shared_context();
  attempts_ = tls_attempts(TlsMode::require);
  encrypts_ = turned_ = true;
}

TlsOpening::Step TlsOpening::begin(Connection& connection) {
  if (!encrypts_) return Step::open;
  if (direct_) return begin_tls(connection);
  connection.send(ring::Slice::of_static(ssl_request));
  awaits_answer_ = true;
  return Step::waits;
}

TlsOpening::Step TlsOpening::begin_tls(Connection& connection) {
  auto engine = TlsEngine::connect(
      context_, host_, direct_ ? TlsEngine::Start::direct : TlsEngine::Start::negotiated);
  if (engine->state() == TlsEngine::State::failed) return fail(engine->failure(), false);
  connection.begin_tls(std::move(engine));
  return Step::waits;
}

TlsOpening::Step TlsOpening::received(Connection& connection, std::span<const std::byte> bytes) {
  const SslAnswer answer = ssl_answer(bytes);
  if (answer == SslAnswer::need_more) return Step::waits;
  awaits_answer_ = false;
  switch (answer) {
    case SslAnswer::accepted:
      return begin_tls(connection);
    case SslAnswer::refused:
      if (!attempts_.plain_allowed || turned_)
        return fail("server does not support SSL, but SSL was required", false);
      turned_ = true;  // there is no other way
      encrypts_ = false;
      return Step::open;
    case SslAnswer::error:
      return fail("server sent an error response during SSL exchange", true);
    case SslAnswer::injected:
      return fail("received unencrypted data after SSL response", false);
    case SslAnswer::malformed:
    case SslAnswer::need_more:
      break;
  }
  return fail("received invalid response to SSL negotiation", false);
}

TlsOpening::Step TlsOpening::handshake_failed(const TlsEngine& engine) {
  std::string why = engine.failure();
  if (const std::string hint = engine.failure_hint(); !hint.empty()) why += ". " + hint;
  return fail(std::move(why), true);
}

TlsOpening::Step TlsOpening::fail(std::string why, bool may_try_again) {
  why_ = std::move(why);
  may_try_again_ = may_try_again;
  return Step::failed;
}

bool TlsOpening::turn_round() {
  if (context_ == nullptr || turned_) return false;
  if (encrypts_ ? !attempts_.plain_allowed : !attempts_.tls_allowed) return false;
  turned_ = true;
  encrypts_ = !encrypts_;
  awaits_answer_ = false;
  return true;
}

}  // namespace pgring
