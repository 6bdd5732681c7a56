// Connections that nobody uses: what ran on them since the last look is looked into, one connection at a time, so that a
// client that comes meanwhile finds another or waits for a millisecond.
#include <algorithm>
#include <optional>
#include <string>

#include "src/pool/pool.h"
#include "src/shard/shard.h"

namespace pgring {
namespace {

// So long after its last client a connection is at rest.
constexpr ring::Duration rest_time = std::chrono::milliseconds{20};
// And so long after its last audit it may be asked again: one used now and then is not audited each time.
constexpr ring::Duration audit_interval = std::chrono::milliseconds{250};
// From one to the next.
constexpr ring::Duration audit_pause = std::chrono::milliseconds{5};

ring::Instant audit_due(const Server& server) {
  return std::max(server.used() + rest_time, server.audited_at() + audit_interval);
}

}  // namespace

// Hot path: for each connection that is given back.
void Pool::comes_to_rest(const Server& server) {
  if (server.is_audited() || rest_timer_.pending() || settings_.mode == PoolMode::session) return;
  shard_.loop().timers().set(rest_timer_, shard_.now() + rest_time);
}

void Pool::rest_due() {
  if (paused_ || ending_) return;
  const ring::Instant now = shard_.now();
  std::optional<ring::Instant> next;
  Server* chosen = nullptr;
  for (Server* server = idle_.front(); server != nullptr; server = decltype(idle_)::next(*server)) {
    if (server->is_audited()) continue;
    const ring::Instant due = audit_due(*server);
    const bool free = chosen == nullptr && asking() == 0 && waiters_.empty();
    if (due <= now && free) {
      chosen = server;
    } else {
      const ring::Instant at = std::max(due, now + audit_pause);
      next = next ? std::min(*next, at) : at;
    }
  }
  if (next) shard_.loop().timers().set(rest_timer_, *next);
  if (chosen != nullptr && !chosen->audit_at_rest() && !rest_timer_.pending())
    shard_.loop().timers().set(rest_timer_, now + rest_time);
}

void Pool::tell_suspects(std::span<const std::uint64_t> fingerprints) {
  for (std::uint32_t part = 0; part < home_.parts(); ++part) {
    if (part == part_) continue;
    Shard& shard = *shard_.shared().shards[home_.shards[part]];
    for (const std::uint64_t fingerprint : fingerprints) {
      shard.post([&shard, &home = home_, part, fingerprint,
                  text = std::string{marks_.text_of(fingerprint)}] {
        shard.pool(home.key, home, part).marks().suspect(fingerprint, text);
      });
    }
  }
}

}  // namespace pgring
