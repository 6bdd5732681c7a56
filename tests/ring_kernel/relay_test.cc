// Relays (tests/ring_support/relay.h) over real sockets: every byte, queue bounds, ends.
#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "tests/ring_kernel/rig.h"
#include "tests/ring_support/relay.h"

namespace ring_test {
namespace {

// A peer that writes its pattern in random pieces, reads what comes, ends when all is written.
struct PlainPeer {
  File socket;
  std::uint64_t seed = 0;
  std::uint64_t total = 0;
  unsigned laziness = 1;  // does something every so many times only
  std::uint64_t written = 0;
  std::string received;
  bool half_closed = false;
  bool ended = false;

  void act(std::mt19937& random) {
    if (!socket.valid() || random() % laziness != 0) return;
    if (written < total) {
      const std::size_t size = 1 + random() % (random() % 4 == 0 ? 60'000 : 300);
      written += write_some(socket,
                            pattern(seed, written, std::min<std::uint64_t>(size, total - written)));
    } else if (!half_closed) {
      (void)::shutdown(socket.get(), SHUT_WR);
      half_closed = true;
    }
    if (!read_some(socket, received, 1 + random() % 60'000)) {
      ended = true;
      socket.reset();
    }
  }
};

struct RealCase {
  PlainPeer client;
  PlainPeer server;
  std::unique_ptr<Relay> relay;
  [[nodiscard]] bool over() const { return relay->finished() && client.ended && server.ended; }
};

std::unique_ptr<RealCase> make_case(Rig& rig, Family client, Family server, std::uint64_t seed,
                                    const RelayOptions& options) {
  auto one = std::make_unique<RealCase>();
  one->relay = std::make_unique<Relay>(rig.loop, options);
  Pair client_pair = connected_pair(client);
  Pair server_pair = connected_pair(server);
  one->client.socket = std::move(client_pair.theirs);
  one->server.socket = std::move(server_pair.theirs);
  one->client.seed = seed * 2;
  one->server.seed = seed * 2 + 1;
  one->relay->open(client_pair.ours.release(), server_pair.ours.release());
  return one;
}

void run_cases(Rig& rig, std::vector<std::unique_ptr<RealCase>>& cases, std::mt19937& random) {
  rig.handler.timer = [](ring::Timer& timer) {
    if (timer.kind == relay_timer_kind) Relay::expired(timer);
  };
  const auto over = [&] {
    return std::all_of(cases.begin(), cases.end(), [](const auto& one) { return one->over(); });
  };
  const auto pump = [&] {
    for (const auto& one : cases) {
      one->client.act(random);
      one->server.act(random);
      one->relay->check_bounds();
    }
  };
  REQUIRE(rig.run(over, pump, std::chrono::seconds{60}));
}

TEST_CASE(
    "relay: many streams deliver every byte, and the last ones although the other side still "
    "sends") {
  // Method: the client half-closes first, so its bytes must all arrive while the server goes on writing.
  for_each_capability_off([](const ring::Capabilities& allowed) {
    Rig rig{{.allowed = allowed}};
    std::mt19937 random{42};
    std::vector<std::unique_ptr<RealCase>> cases;
    for (std::uint64_t i = 0; i < 40; ++i) {
      auto& one =
          *cases.emplace_back(make_case(rig, i % 2 == 0 ? Family::tcp : Family::unix_socket,
                                        i % 3 == 0 ? Family::tcp : Family::unix_socket, i, {}));
      one.client.total = random() % 200'000;
      one.server.total = random() % 400'000;
    }
    run_cases(rig, cases, random);
    for (const auto& one : cases) {
      const auto end = one->relay->first_end();
      REQUIRE(end);
      CHECK(end->error == 0);
      const PlainPeer& first = end->client ? one->client : one->server;
      const PlainPeer& second = end->client ? one->server : one->client;
      CHECK(second.received == pattern(first.seed, 0, first.total));
      CHECK(first.received == pattern(second.seed, 0, first.received.size()));
    }
    CHECK(rig.loop.kernel().counters().overflows == 0);
  });
}

TEST_CASE("relay: a slow reader holds its own connection only, within the bound") {
  for_each_capability_off([](const ring::Capabilities& allowed) {
    Rig rig{{.allowed = allowed}};
    std::mt19937 random{7};
    std::vector<std::unique_ptr<RealCase>> cases;
    for (std::uint64_t i = 0; i < 4; ++i) {
      cases.push_back(make_case(
          rig, Family::unix_socket, Family::tcp, i,
          {.client = {.group = 0, .credit = 16384}, .server = {.group = 1, .credit = 65536}}));
    }
    // The first client reads nothing while its server sends without end; the others go on to theirs.
    cases[0]->client.laziness = 1U << 30;
    cases[0]->client.half_closed = true;  // never: its end would end the pair
    cases[0]->server.total = 1ULL << 40;
    for (std::size_t i = 1; i < 4; ++i) {
      cases[i]->client.total = 100'000;
      cases[i]->server.total = 300'000;
    }
    std::size_t longest = 0;
    const auto pump = [&] {
      for (const auto& one : cases) {
        one->client.act(random);
        one->server.act(random);
        one->relay->check_bounds();
        longest = std::max(longest, one->relay->client.queued_bytes());
      }
    };
    rig.handler.timer = [](ring::Timer&) {};
    const auto others_over = [&] {
      return cases[1]->over() && cases[2]->over() && cases[3]->over();
    };
    REQUIRE(rig.run([&] { return others_over() && longest > RelayOptions{}.queue_high; }, pump));
    CHECK(cases[0]->relay->client.queued_bytes() > 0);
    // Now it reads all that was held for it.
    cases[0]->client.laziness = 1;
    cases[0]->server.total = cases[0]->server.written;
    REQUIRE(rig.run([&] { return cases[0]->client.received.size() == cases[0]->server.written; },
                    pump));
    CHECK(cases[0]->client.received == pattern(cases[0]->server.seed, 0, cases[0]->server.written));
    cases[0]->relay->close();
    REQUIRE(rig.run([&] { return cases[0]->relay->finished(); }));
  });
}

TEST_CASE("relay: closed at any moment and its descriptors reused at once, no byte crosses") {
  // Method: each new pair gets the descriptors just closed. Every byte carries its connection's pattern.
  for_each_capability_off([](const ring::Capabilities& allowed) {
    Rig rig{
        {.allowed = allowed, .group = {.id = 0, .size = 4096, .count_min = 8, .count_max = 32}}};
    rig.handler.timer = [](ring::Timer& timer) {
      if (timer.kind == relay_timer_kind) Relay::expired(timer);
    };
    std::mt19937 random{99};
    std::vector<std::unique_ptr<RealCase>> cases(12);
    std::uint64_t seed = 1000;
    const auto check_prefixes = [](const RealCase& one) {
      CHECK(one.server.received == pattern(one.client.seed, 0, one.server.received.size()));
      CHECK(one.client.received == pattern(one.server.seed, 0, one.client.received.size()));
    };
    int closed = 0;
    const auto pump = [&] {
      for (auto& one : cases) {
        if (one == nullptr) {
          if (closed >= 300) continue;
          one = make_case(rig, random() % 2 == 0 ? Family::tcp : Family::unix_socket,
                          random() % 2 == 0 ? Family::tcp : Family::unix_socket, ++seed, {});
          one->client.total = one->server.total = 50'000;
        }
        one->client.act(random);
        one->server.act(random);
        switch (random() % 40) {
          case 0:
            one->relay->close();
            break;
          case 1:
            one->client.socket.reset();
            break;
          case 2:
            if (one->server.socket.valid()) set_reset_on_close(one->server.socket);
            one->server.socket.reset();
            break;
          default:
            break;
        }
        // The peers see their ends by their relay's: no need to wait for them.
        if (one->relay->finished()) {
          read_some(one->client.socket, one->client.received, 1 << 20);
          check_prefixes(*one);
          one.reset();
          ++closed;
        }
      }
    };
    REQUIRE(rig.run(
        [&] {
          return closed >= 300 && std::all_of(cases.begin(), cases.end(),
                                              [](const auto& one) { return one == nullptr; });
        },
        pump, std::chrono::seconds{60}));
  });
}

TEST_CASE("stream: bytes sent before finish() arrive although the peer's bytes were never read") {
  // Closing with unread bytes would answer with a reset, which can overtake what was sent.
  for (const Family family : {Family::tcp, Family::unix_socket}) {
    Rig rig;
    Pair pair = connected_pair(family);
    HookedStream stream{rig.loop};
    bool closed = false;
    stream.closed = [&] { closed = true; };
    write_some(pair.theirs, pattern(5, 0, 30'000));
    stream.open(pair.ours.release(), {});
    const std::string last = pattern(6, 0, 100'000);
    stream.send(ring::Slice::copy_of(last));
    stream.finish();
    stream.send(ring::Slice::copy_of("too late"));
    std::string received;
    bool open = true;
    const auto pump = [&] {
      if (!open) return;
      open = read_some(pair.theirs, received, 1000);
      if (open && received.size() < last.size()) write_some(pair.theirs, "more of it");
      if (!open) pair.theirs.reset();
    };
    REQUIRE(rig.run([&] { return closed; }, pump));
    CHECK(received == last);
  }
}

TEST_CASE("stream: sending to a peer that reset is reported, and closing then works") {
  for (const Family family : {Family::tcp, Family::unix_socket}) {
    Rig rig;
    Pair pair = connected_pair(family);
    HookedStream stream{rig.loop};
    int failed = 0;
    bool closed = false;
    stream.send_failed = [&](int error) {
      CHECK((error == EPIPE || error == ECONNRESET));
      ++failed;
    };
    stream.closed = [&] { closed = true; };
    stream.open(pair.ours.release(), {});
    if (family == Family::tcp) set_reset_on_close(pair.theirs);
    pair.theirs.reset();
    for (int i = 0; i < 3; ++i) stream.send(ring::Slice::copy_of("lost"));
    REQUIRE(rig.run([&] { return failed > 0; }));
    CHECK(failed == 1);
    CHECK(stream.queued_bytes() == 0);
    stream.send(ring::Slice::copy_of("dropped"));
    CHECK(stream.queued_bytes() == 0);
    stream.close();
    REQUIRE(rig.run([&] { return closed; }));
  }
}

TEST_CASE("stream: close() ends a send that is blocked, also towards a peer that half-closed") {
  // Blocked and half-closed is what parks a kernel worker thread: it must come loose.
  for (const Family family : {Family::tcp, Family::unix_socket}) {
    for (const bool half_closed : {false, true}) {
      Rig rig;
      Pair pair = connected_pair(family);
      HookedStream stream{rig.loop};
      bool closed = false;
      bool ended = false;
      stream.closed = [&] { closed = true; };
      stream.ended = [&](int error) { ended = error == 0; };
      stream.open(pair.ours.release(), {});
      stream.receive_wanted(true);
      if (half_closed) REQUIRE(::shutdown(pair.theirs.get(), SHUT_WR) == 0);
      stream.send(ring::Slice::copy_of(pattern(1, 0, 16 << 20)));
      const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds{50};
      REQUIRE(rig.run(
          [&] { return std::chrono::steady_clock::now() > until && ended == half_closed; }));
      CHECK(stream.queued_bytes() > 0);
      stream.close();
      REQUIRE(rig.run([&] { return closed; }));
    }
  }
}

}  // namespace
}  // namespace ring_test
