// Cancel requests on their way between the shards. See src/session/cancel.h.
#include <string>
#include <utility>

#include "src/base/check.h"
#include "src/console/session.h"
#include "src/log/log.h"
#include "src/server/server.h"
#include "src/session/cancel.h"
#include "src/session/client.h"
#include "src/shard/shard.h"

namespace pgring {

void Shard::register_client(Client& client) {
  if (free_keys_.empty()) {
    POOLER_CHECK(by_key_.size() < cancel_key::slots_max);
    free_keys_.push_back(static_cast<std::uint32_t>(by_key_.size()));
    by_key_.push_back(nullptr);
  }
  const std::uint32_t slot = free_keys_.back();
  free_keys_.pop_back();
  by_key_[slot] = &client;
  client.set_cancel_pid(cancel_key::pid(index_, slot));
}

void Shard::unregister_client(const Client& client) {
  if (client.cancel_pid() == 0) return;
  const std::uint32_t slot = cancel_key::slot(client.cancel_pid());
  by_key_[slot] = nullptr;
  free_keys_.push_back(slot);
}

// A client's id is never given to another one, so that the next one in its slot has another secret.
std::string Shard::cancel_secret(const Client& client) const {
  return cancel_secrets_.secret(client.cancel_pid(), client.id(), client.cancel_secret_size());
}

Client* Shard::find_client(std::uint32_t cancel_pid, std::string_view secret) const {
  const std::uint32_t slot = cancel_key::slot(cancel_pid);
  Client* const client = slot < by_key_.size() ? by_key_[slot] : nullptr;
  if (client == nullptr || client->cancel_pid() != cancel_pid) return nullptr;
  const bool proven = cancel_secrets_.matches(std::as_bytes(std::span{secret}), cancel_pid,
                                              client->id(), client->cancel_secret_size());
  return proven ? client : nullptr;
}

void Shard::cancel_asked(Client& client, std::uint32_t shard, std::uint32_t pid,
                         std::string secret) {
  cancelling_.emplace(client.id(), &client);
  Shard& target = *shared_.shards[shard];
  target.post(
      [&target, pid, claimed = std::move(secret), origin = CancelOrigin{index_, client.id()}] {
        target.cancel(pid, claimed, origin);
      });
}

void Shard::cancel(std::uint32_t pid, std::string_view secret, CancelOrigin origin) {
  Client* const client = find_client(pid, secret);
  Server* const server = client == nullptr ? nullptr : client->server();
  if (client != nullptr && client->walsender() != nullptr)
    return start_cancel(*client->walsender(), origin);
  if (server == nullptr) {
    if (client != nullptr) client->cancel_waiting();
    if (client != nullptr && client->phase() == Client::Phase::console) client->console()->cancel();
    return cancel_forwarded(origin);
  }
  if (server->client() != client) {
    server->cancel_staged(*client);
    return cancel_forwarded(origin);
  }
  // Nothing of this client's runs: the request has nothing to do, and looks the same from outside. A group
  // that is not ended by Sync yet runs too.
  if (server->queue().empty() && client->between_messages()) return cancel_forwarded(origin);
  // While a replay is under way the query it waits for is not sent yet.
  if (server->own() == Server::Own::replay) return server->cancel_when_usable(origin);
  // Its query is answered; PostgreSQL is asked what that has left.
  if (server->own() != Server::Own::none) return cancel_forwarded(origin);
  if (server->prepares_for_client()) return server->cancel_when_usable(origin);
  // It might hit those behind it.
  if (server->is_shared()) server->flee();
  start_cancel(*server, origin);
}

void Shard::start_cancel(Server& server, std::optional<CancelOrigin> origin) {
  start_cancel(
      {server.pool().settings().server, server.backend_pid(), server.cancel_secret(), server.tls()},
      &server, origin);
}

void Shard::start_cancel(const CancelTarget& target, Server* server,
                         std::optional<CancelOrigin> origin) {
  const auto& addresses = runtime_->addresses;
  const auto found = addresses.find(target.server);
  if (target.secret.empty() || found == addresses.end() || found->second.empty()) {
    if (origin) cancel_forwarded(*origin);
    return;
  }
  auto owned = std::make_unique<CancelConnection>(*this, target, server, origin);
  CancelConnection& cancel = *owned;
  if (!cancel.start(found->second.front(), config().timeouts.cancel_wait)) {
    log::warning("cancel request could not be sent: no socket", {{"shard", index_}});
    if (origin) cancel_forwarded(*origin);
    return;
  }
  cancels_.emplace(&cancel, std::move(owned));
}

void Shard::cancel_forwarded(const CancelOrigin& origin) {
  Shard& asker = *shared_.shards[origin.shard];
  asker.post([&asker, id = origin.client_id] {
    if (const auto at = asker.cancelling_.find(id); at != asker.cancelling_.end())
      at->second->disconnect("cancel request done");
  });
}

void Shard::forget_server(const Server& server) {
  for (const auto& [cancel, owned] : cancels_) {
    if (owned->server() == &server) owned->forget_server();
  }
}

}  // namespace pgring
