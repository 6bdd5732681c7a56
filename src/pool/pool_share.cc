// Which server connection a group goes to that may be in flight together with others'.
#include "src/pool/pool.h"

#include <algorithm>
#include <chrono>

#include "src/shard/shard.h"

namespace pgring {

// A quarter of the pool's, but few: more of them do not get more done where PostgreSQL has no more cores than that.
std::uint32_t share_hot(std::uint32_t pool_size) {
  constexpr std::uint32_t most = 4;
  return std::clamp<std::uint32_t>(pool_size / 4, 1, most);
}

// A connection to which more and more is sent is never put back, where it would be given to those.
bool Pool::is_wanted_elsewhere() {
  constexpr ring::Duration patience = std::chrono::milliseconds{10};
  if (home_.board.to_shed() > 0) return true;
  for (std::uint32_t part = 0; part < home_.parts(); ++part) {
    const PartBoard& other = home_.board.part(part);
    if (part == part_ || other.waiting() == 0) continue;
    if (other.oldest() < (shard_.now() - patience).time_since_epoch().count()) return true;
  }
  return false;
}

bool Pool::stack(Client& client) {
  // Whoever has waited longer comes first; where one needs a connection alone, some are to become free.
  if (paused_ || !waiters_.empty() || sharing_.size() < settings_.share_hot) return false;
  if (is_wanted_elsewhere()) return false;
  Server* best = nullptr;
  for (Server* server = sharing_.front(); server != nullptr;
       server = decltype(sharing_)::next(*server)) {
    if ((best == nullptr || server->depth() < best->depth()) && server->may_stack(client))
      best = server;
  }
  if (best == nullptr || !client.may_share_on(*best)) return false;
  best->begin_stack(client);
  return true;
}

void Pool::may_be_shared(Server& server) {
  if (!server.share_hook.linked()) sharing_.push_back(server);
}

void Pool::not_shared(Server& server) {
  if (server.share_hook.linked()) sharing_.erase(server);
}

void Pool::share_room(Server& server) {
  if (waiters_.empty() || is_wanted_elsewhere()) return;
  while (Client* const client = waiters_.front()) {
    if (paused_ || !client->asks_share() || !server.may_stack(*client) ||
        !client->may_share_on(server))
      return;
    waiters_.erase(*client);
    show_waiters();
    stats_.wait_us += waited(*client);
    client->stack_on(server);
  }
}

}  // namespace pgring
