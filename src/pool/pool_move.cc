// Server connections that go from one part of the pool to another, by the mailboxes of their shards.
//
// A promise (PartBoard::inbound) is kept or broken exactly once: by adopt_server() on the part it was made
// to, or by move_called_off() on the part that should have given.
#include <utility>

#include "src/log/log.h"
#include "src/pool/pool.h"
#include "src/shard/shard.h"

namespace pgring {

void Pool::give(Server& server, std::uint32_t part) {
  POOLER_CHECK(part != part_ && part < home_.parts());
  if (!server.may_move()) {
    // A message of the server's own accord has begun to come. It stays, where the next one looks for it.
    move_called_off(part);
    if (!server.idle_hook.linked()) keep(server);
    return;
  }
  not_idle(server);
  server.begin_move(part);
}

// Whoever waits there counts on it, and looks again; not at once, for what may not move now may not in a moment.
void Pool::move_called_off(std::uint32_t part) {
  home_.board.part(part).promise_over();
  Shard& shard = *shard_.shared().shards[home_.shards[part]];
  shard.post([&shard, &home = home_, part] { shard.pool(home.key, home, part).promise_broken(); });
}

void Pool::move_ready(Server& server, std::uint32_t part, ServerState state) {
  all_.erase(server);
  const auto at = owned_.find(&server);
  shard_.retire(std::move(at->second));  // its own code is still running
  owned_.erase(at);
  ++shard_.counters().moves_out;
  shard_.move_server(home_, part, std::move(state));
}

void Pool::adopt_server(ServerState state) {
  board().promise_over();
  ++shard_.counters().moves_in;
  log::debug("server connection moved", {{"shard", shard_.index()},
                                         {"from_shard", state.from_shard},
                                         {"database", key_.database},
                                         {"role", key_.role},
                                         {"backend_pid", state.backend_pid}});
  const bool elsewhere = state.place != settings_.place();
  auto owned = std::make_unique<Server>(shard_, *this, std::move(state));
  Server& server = *owned;
  owned_.emplace(&server, std::move(owned));
  all_.push_back(server);
  // It was between two shards while each of them was told to close all it had.
  if (elsewhere) {
    server.must_close("configuration changed");
  } else if (server.created() <= closed_at_) {
    server.must_close(closed_why_);
  }
  put_back(server);
}

}  // namespace pgring
