#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "tests/ring_kernel/rig.h"

namespace ring_test {
namespace {

TEST_CASE("stream: a receive in flight keeps its buffer group when the options change") {
  // As after a login: small one-shot receives, then large ones, while one is armed already.
  for_each_capability_off([](const ring::Capabilities& allowed) {
    Rig rig{{.allowed = allowed}};
    Pair pair = connected_pair(Family::unix_socket);
    HookedStream stream{rig.loop};
    std::string received;
    bool ended = false;
    bool closed = false;
    stream.received = [&](ring::Slice slice) { received += text_of(slice); };
    stream.ended = [&](int) { ended = true; };
    stream.closed = [&] { closed = true; };
    stream.open(pair.ours.release(), {.group = 0, .one_shot = true});
    stream.receive_wanted(true);
    REQUIRE(rig.run([&] { return rig.loop.counters().turns >= 2; }));
    stream.receive_options({.group = 1, .credit = 65536});
    const std::string first = pattern(1, 0, 3000);
    REQUIRE(write_some(pair.theirs, first) == first.size());
    REQUIRE(rig.run([&] { return received.size() == first.size(); }));
    CHECK(received == first);
    const std::string second = pattern(2, 0, 20000);
    REQUIRE(write_some(pair.theirs, second) == second.size());
    REQUIRE(rig.run([&] { return received.size() == first.size() + second.size(); }));
    CHECK(received == first + second);
    pair.theirs.reset();
    REQUIRE(rig.run([&] { return ended; }));
    stream.close();
    REQUIRE(rig.run([&] { return closed; }));
  });
}

TEST_CASE("stream: without buffers receives wait, and go on when buffers come back") {
  // Method: four buffers for thirty streams, each of which keeps its last slice for some turns.
  for_each_capability_off([](const ring::Capabilities& allowed) {
    Rig rig{{.allowed = allowed, .group = {.id = 0, .size = 4096, .count_min = 4, .count_max = 4}}};
    constexpr std::size_t count = 30;
    constexpr std::size_t total = 60'000;
    struct Side {
      Pair pair;
      std::unique_ptr<HookedStream> stream;
      std::string received;
      std::size_t written = 0;
      bool closed = false;
    };
    std::vector<Side> sides(count);
    std::vector<ring::Slice> kept;
    for (std::size_t i = 0; i < count; ++i) {
      Side& side = sides[i];
      side.pair = connected_pair(i % 2 == 0 ? Family::tcp : Family::unix_socket);
      side.stream = std::make_unique<HookedStream>(rig.loop);
      side.stream->received = [&](ring::Slice slice) {
        side.received += text_of(slice);
        if (kept.size() < 4) kept.push_back(std::move(slice));
      };
      side.stream->ended = [&](int) { side.stream->close(); };
      side.stream->closed = [&] { side.closed = true; };
      side.stream->open(side.pair.ours.release(), {.group = 0, .credit = 16384});
      side.stream->receive_wanted(true);
    }
    std::uint64_t turns = 0;
    const auto pump = [&] {
      if (++turns % 7 == 0) kept.clear();
      for (std::size_t i = 0; i < count; ++i) {
        Side& side = sides[i];
        if (!side.pair.theirs.valid()) continue;
        side.written +=
            write_some(side.pair.theirs,
                       pattern(i, side.written, std::min<std::size_t>(total - side.written, 5000)));
        if (side.written == total) side.pair.theirs.reset();
      }
    };
    REQUIRE(rig.run(
        [&] {
          return std::all_of(sides.begin(), sides.end(), [](const Side& s) { return s.closed; });
        },
        pump));
    for (std::size_t i = 0; i < count; ++i) {
      CAPTURE(i);
      CHECK(sides[i].received == pattern(i, 0, total));
    }
    CHECK(rig.loop.counters().starved > 0);
    kept.clear();
  });
}

TEST_CASE("stream: one free buffer is enough for a starved stream") {
  // Method: of eight buffers seven are held for good (slow readers). Whoever starved lives on the eighth.
  Rig rig{{.group = {.id = 0, .size = 4096, .count_min = 8, .count_max = 8}}};
  Pair holder = connected_pair(Family::unix_socket);
  Pair starving = connected_pair(Family::unix_socket);
  std::vector<ring::Slice> held;
  HookedStream first{rig.loop};
  HookedStream second{rig.loop};
  std::string received;
  int closed = 0;
  first.received = [&](ring::Slice slice) { held.push_back(std::move(slice)); };
  second.received = [&](ring::Slice slice) { received += text_of(slice); };
  first.closed = second.closed = [&] { ++closed; };
  first.open(holder.ours.release(), {.group = 0, .credit = 4096, .one_shot = true});
  second.open(starving.ours.release(), {.group = 0, .credit = 4096, .one_shot = true});
  first.receive_wanted(true);
  const auto pump = [&] {
    if (held.size() < 8) write_some(holder.theirs, "x");
  };
  REQUIRE(rig.run([&] { return held.size() == 8; }, pump));
  first.receive_wanted(false);
  second.receive_wanted(true);
  write_some(starving.theirs, "hello");
  REQUIRE(rig.run([&] { return rig.loop.counters().starved > 0; }));
  held.pop_back();
  CHECK(rig.run([&] { return received == "hello"; }, {}, std::chrono::seconds{2}));
  held.clear();
  first.close();
  second.close();
  REQUIRE(rig.run([&] { return closed == 2; }));
}

TEST_CASE("stream: a descriptor set to O_NONBLOCK works like any other") {
  // Somebody else's socket may come so: waiting must not turn into EAGAIN.
  for_each_capability_off([](const ring::Capabilities& allowed) {
    for (const Family family : {Family::tcp, Family::unix_socket}) {
      Rig rig{{.allowed = allowed}};
      Pair pair = connected_pair(family);
      set_nonblocking(pair.ours);
      HookedStream stream{rig.loop};
      bool closed = false;
      std::string received;
      stream.received = [&](ring::Slice slice) { received += text_of(slice); };
      stream.ended = [&](int error) { FAIL("ended: " << error); };
      stream.send_failed = [&](int error) { FAIL("send failed: " << error); };
      stream.closed = [&] { closed = true; };
      stream.open(pair.ours.release(), {});
      stream.receive_wanted(true);
      const std::string bytes = pattern(9, 0, 8 << 20);
      stream.send(ring::Slice::copy_of(bytes));
      REQUIRE(rig.run([&] { return rig.loop.counters().turns > 3; }, [] {}));
      std::string peer_got;
      REQUIRE(rig.run([&] { return peer_got.size() == bytes.size(); },
                      [&] { read_some(pair.theirs, peer_got); }));
      CHECK((peer_got == bytes));
      write_some(pair.theirs, "late");
      REQUIRE(rig.run([&] { return received == "late"; }));
      stream.close();
      REQUIRE(rig.run([&] { return closed; }));
    }
  });
}

}  // namespace
}  // namespace ring_test
