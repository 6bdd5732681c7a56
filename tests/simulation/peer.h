// A peer in the simulation: writes its pattern, reads what comes, is slow, stops, dies; all by chance and
// in virtual time. Owner: the test; lives as long as the World.
#pragma once

#include <cstdint>
#include <string>

#include "tests/simulation/kernel_sim.h"

namespace sim {

struct PeerOptions {
  std::uint64_t seed = 0;      // of its pattern
  std::uint64_t total = 0;     // bytes to write, then it half-closes
  unsigned death = 0;          // in 1/1000 of its moments it closes or resets instead
  unsigned lazy = 0;           // in 1/1000 of its moments it does nothing for a long time
  bool waits_for_end = false;  // never ends by itself: half-closes only after the other side's end
};

class Peer {
 public:
  Peer(World& world, const PeerOptions& options) : world_{world}, options_{options} {}
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  void start(Endpoint end);
  [[nodiscard]] bool started() const { return end_.valid(); }
  [[nodiscard]] bool done() const { return done_; }
  // Read the end of the stream, with no reset, having read everything.
  [[nodiscard]] bool ended_well() const { return ended_well_; }
  // Wrote everything and said so.
  [[nodiscard]] bool wrote_all() const { return finished_; }
  [[nodiscard]] bool died() const { return died_; }
  [[nodiscard]] bool was_reset() const { return end_.valid() && end_.was_reset(); }
  [[nodiscard]] std::uint64_t written() const { return written_; }
  [[nodiscard]] const std::string& received() const { return received_; }
  [[nodiscard]] std::uint64_t progress() const {
    return written_ + received_.size() + (done_ ? 1 : 0);
  }
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] const PeerOptions& options() const { return options_; }

 private:
  void schedule();
  void act();

  World& world_;
  PeerOptions options_;
  Endpoint end_;
  std::uint64_t written_ = 0;
  std::string received_;
  bool finished_ = false;
  bool ended_well_ = false;
  bool died_ = false;
  bool done_ = false;
};

}  // namespace sim
