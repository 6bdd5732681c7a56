#include "ring/buffer_group.h"

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/ring_support/pattern.h"
#include "tests/simulation/kernel_sim.h"

namespace {

using ring::BufferGroup;
using ring::Completion;
using ring::Slice;

// A kernel, a group and a socket that always has bytes to receive.
struct Bench {
  explicit Bench(const ring::BufferGroupOptions& options) : group{kernel} {
    REQUIRE(!kernel.open({}));
    REQUIRE(group.open(options) == 0);
    const auto [ours, theirs] = world.connection();
    socket = ours;
    peer = theirs;
  }
  ~Bench() { kernel.close(socket); }

  // One byte in one buffer; nothing: there was none.
  std::optional<Slice> receive() {
    if (peer.write("x") == 0) world.fail("no room in the socket");
    kernel.receive(socket, group.id(), ring::ReceiveKind::one_shot, 0,
                   {ring::Operation::receive, 0, 0});
    Completion completion;
    while (kernel.reap({&completion, 1}) == 0) kernel.enter({});
    if (completion.result == -ENOBUFS) {
      CHECK(!completion.has_buffer());
      return std::nullopt;
    }
    return group.take(completion.buffer_id(), static_cast<std::uint32_t>(completion.result));
  }

  sim::World world{1, sim::Faults::none()};
  ring::Kernel kernel;
  BufferGroup group;
  int socket = -1;
  sim::Endpoint peer;
};

TEST_CASE("buffer group: starts small, grows while few are free, up to its limit and not beyond") {
  Bench bench{{.id = 0, .size = 4096, .count_min = 4, .count_max = 16}};
  CHECK(bench.group.population() == 4);
  CHECK(bench.group.free() == 4);
  std::vector<Slice> held;
  while (auto slice = bench.receive()) {
    held.push_back(std::move(*slice));
    bench.group.publish();
    CHECK(bench.group.population() <= 16);
  }
  CHECK(held.size() == 16);
  CHECK(bench.group.exhausted());
  // One comes back: lent again at the next publish.
  held.pop_back();
  CHECK(!bench.group.exhausted());
  bench.group.publish();
  CHECK(bench.receive().has_value());
  bench.group.publish();
  held.clear();
  bench.group.publish();
  CHECK(bench.group.all_free());
}

TEST_CASE("buffer group: what is given back is not lent before publish") {
  Bench bench{{.id = 0, .size = 4096, .count_min = 1, .count_max = 1}};
  auto first = bench.receive();
  REQUIRE(first);
  CHECK(!bench.receive());
  first.reset();
  CHECK(!bench.receive());
  bench.group.publish();
  CHECK(bench.receive());
}

TEST_CASE("buffer group: shrinks again to its least when most are free") {
  Bench bench{{.id = 0, .size = 4096, .count_min = 4, .count_max = 64}};
  std::vector<Slice> held;
  while (auto slice = bench.receive()) {
    held.push_back(std::move(*slice));
    bench.group.publish();
  }
  CHECK(bench.group.population() == 64);
  held.clear();
  bench.group.publish();
  CHECK(bench.group.population() < 64);
  for (int i = 0; i < 200; ++i) {
    CHECK(bench.receive().has_value());
    bench.group.publish();
  }
  CHECK(bench.group.population() <= 8);
  CHECK(bench.group.population() >= 4);
  CHECK(bench.group.all_free());
  // And grows once more: retired buffers come back into use.
  while (auto slice = bench.receive()) {
    held.push_back(std::move(*slice));
    bench.group.publish();
  }
  CHECK(held.size() == 64);
}

TEST_CASE("buffer group: random holding and giving back loses no buffer") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    sim::Random random{seed};
    Bench bench{{.id = 2,
                 .size = 4096,
                 .count_min = static_cast<std::uint32_t>(random.between(1, 32)),
                 .count_max = 32}};
    std::vector<Slice> held;
    for (int step = 0; step < 1000; ++step) {
      if (random.chance(550)) {
        if (auto slice = bench.receive()) held.push_back(std::move(*slice));
      } else if (!held.empty()) {
        std::swap(held[random.below(held.size())], held.back());
        held.pop_back();
      }
      if (random.chance(500)) bench.group.publish();
      REQUIRE(bench.group.free() + held.size() == bench.group.population());
    }
    held.clear();
    bench.group.publish();
    CHECK(bench.group.all_free());
  }
}

TEST_CASE("buffer group: open() passes the kernel's refusal on") {
  const sim::World world{1, sim::Faults::none()};
  ring::Kernel kernel;
  REQUIRE(!kernel.open({}));
  BufferGroup odd{kernel};
  CHECK(odd.open({.id = 0, .size = 4096, .count_min = 1, .count_max = 3}) == -EINVAL);
}

}  // namespace
