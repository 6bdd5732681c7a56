#include "tests/simulation/peer.h"

#include <algorithm>

#include "tests/ring_support/pattern.h"

namespace sim {

void Peer::start(Endpoint end) {
  end_ = end;
  schedule();
}

void Peer::schedule() {
  Random& random = world_.random();
  const std::uint64_t longest = random.chance(options_.lazy) ? 3'000'000'000 : 1'000'000;
  world_.at(world_.now() + ring::Duration{static_cast<std::int64_t>(random.below(longest))},
            [this] { act(); });
}

std::string Peer::describe() const {
  return std::string{"peer: "} + (done_ ? "done" : "not done") +
         " written=" + std::to_string(written_) + '/' + std::to_string(options_.total) +
         " received=" + std::to_string(received_.size()) +
         " lazy=" + std::to_string(options_.lazy) + (was_reset() ? " reset" : "") + '\n';
}

void Peer::act() {
  Random& random = world_.random();
  if (random.chance(options_.death)) {
    died_ = done_ = true;
    return random.chance(500) ? end_.close() : end_.reset();
  }
  if (!finished_ && random.chance(700)) {
    const std::uint64_t left = options_.total - written_;
    if (left > 0) {
      const std::string bytes = ring_test::pattern(options_.seed, written_,
                                                   std::min<std::size_t>(left, random.size(65536)));
      written_ += end_.write(bytes);
    } else if (!options_.waits_for_end || end_.ended()) {
      end_.finish();
      finished_ = true;
    }
  }
  if (random.chance(700)) received_ += end_.read(random.size(65536));
  if (end_.ended() && (end_.was_reset() || finished_ || random.chance(100))) {
    ended_well_ = !end_.was_reset();
    done_ = true;
    return end_.close();
  }
  schedule();
}

}  // namespace sim
