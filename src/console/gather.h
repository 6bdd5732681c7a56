// Asking all shards.
//
// What:   on_all_shards() runs `each` once on every shard's thread, then `done` on `home`'s.
// Thread: called on `home`'s thread. `each` runs on several threads at once: it writes what is its
//         shard's own. What it wrote is visible to `done`.
// Life:   what the functions refer to must not end with a client; shards live as long as the
//         process. A shard that has ended runs nothing more; then `done` is never called.
#pragma once

#include <functional>

namespace pgring {
class Shard;
}

namespace pgring::console {

void on_all_shards(Shard& home, std::function<void(Shard&)> each, std::function<void()> done);

}  // namespace pgring::console
