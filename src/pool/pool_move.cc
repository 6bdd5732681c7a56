#include "src/pool/pool.h"
#include "src/shard/shard.h"
namespace pgring {
void Pool::give(Server& server, std::uint32_t part) {
  home_.board.part(part).promise_over();
  if (!server.idle_hook.linked()) idle_.push_back(server);
  show_idle();
  serve_waiters();
}
}  // namespace pgring
