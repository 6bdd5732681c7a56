// A shard's replication connections.
#include "src/server/walsender.h"
#include "src/session/client.h"
#include "src/shard/shard.h"
#include "wire/sqlstate.h"

namespace pgring {

void Shard::keep(std::unique_ptr<Walsender> walsender) {
  const Walsender* const key = walsender.get();
  walsenders_.emplace(key, std::move(walsender));
}

void Shard::start_cancel(const Walsender& walsender, std::optional<CancelOrigin> origin) {
  // Nobody but its client will ever use it, so it waits for nothing.
  start_cancel({walsender.place().server, walsender.backend_pid(), walsender.cancel_secret(),
                walsender.tls()},
               nullptr, origin);
}

void Shard::end_replication(std::string_view database, std::string_view reason) {
  for (const auto& [walsender, owned] : walsenders_) {
    if (walsender->client() == nullptr || (!database.empty() && walsender->database() != database))
      continue;
    walsender->client()->fatal(wire::sqlstate::admin_shutdown, reason);
  }
}

// A new configuration: it may say that they belong elsewhere. One whose entry is gone goes on, as other clients do.
void Shard::check_replication() {
  for (const auto& [walsender, owned] : walsenders_) {
    Client* const client = walsender->client();
    if (client == nullptr) continue;
    const auto place = walsender_place(config(), client->database(), client->user());
    if (!place || *place == walsender->place()) continue;
    client->fatal(wire::sqlstate::admin_shutdown,
                  "terminating replication connection: the configuration has changed");
  }
}

// Clients that came during a pause.
void Shard::resume_replication() {
  for (Client* client = clients_.front(); client != nullptr; client = ClientList::next(*client))
    client->resume_replication();
}

}  // namespace pgring
