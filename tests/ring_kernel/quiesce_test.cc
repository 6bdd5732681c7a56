// Stream::quiesce() on the real kernel: every kind of receive, idle and with data racing it, and streams
// that move between the loops of two threads.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <thread>
#include <vector>

#include "tests/ring_kernel/rig.h"

namespace ring_test {
namespace {

// Every way to receive: each family, each capability forced off, one buffer at a time or many.
template <class Test>
void for_each_receive(const Test& test) {
  for_each_capability_off([&](const ring::Capabilities& allowed) {
    for (const Family family : {Family::tcp, Family::unix_socket}) {
      for (const bool one_shot : {false, true}) {
        CAPTURE(one_shot);
        test(allowed, family, ring::ReceiveOptions{.credit = 65536, .one_shot = one_shot});
      }
    }
  });
}

struct Subject {
  Subject(Rig& rig_given, Family family, const ring::ReceiveOptions& receive)
      : rig{rig_given}, pair{connected_pair(family)}, stream{rig.loop} {
    stream.received = [this](ring::Slice slice) { received += text_of(slice); };
    stream.ended = [this](int error) {
      CHECK(error == 0);
      ++ends;
    };
    stream.quiet = [this] { ++quiets; };
    stream.closed = [this] { closed = true; };
    stream.open(pair.ours.release(), receive);
    stream.receive_wanted(true);
  }
  void turn(std::uint64_t count) {
    const auto until = rig.loop.counters().turns + count;
    REQUIRE(rig.run([&] { return rig.loop.counters().turns >= until; }, [] {}));
  }
  void turn_a_few() { turn(4); }
  void close() {
    stream.close();
    REQUIRE(rig.run([&] { return closed; }));
  }

  Rig& rig;
  Pair pair;
  HookedStream stream;
  std::string received;
  int ends = 0;
  int quiets = 0;
  bool closed = false;
};

TEST_CASE("quiesce: an idle stream falls quiet, and what comes then waits in the socket") {
  for_each_receive([](const auto& allowed, Family family, const auto& receive) {
    Rig rig{{.allowed = allowed}};
    Subject one{rig, family, receive};
    one.turn_a_few();
    CHECK(!one.stream.is_quiet());
    one.stream.quiesce();
    CHECK(one.quiets == 0);
    const auto before = rig.loop.counters().turns;
    REQUIRE(rig.run([&] { return one.quiets == 1; }));
    CHECK(rig.loop.counters().turns - before <= 3);
    CHECK(one.stream.is_quiet());
    REQUIRE(write_some(one.pair.theirs, "later") == 5);
    one.turn_a_few();
    CHECK(one.received.empty());
    CHECK(one.ends == 0);
    CHECK(one.quiets == 1);
    // Nobody but us reads from it any more.
    const File socket{one.stream.release()};
    std::string plain;
    CHECK(read_some(socket, plain));
    CHECK(plain == "later");
  });
}

TEST_CASE("quiesce: what was received already is delivered, and the rest waits in the socket") {
  // Method: bytes for many buffers are there at once; quiesce() comes with the first. A multishot receive has
  // filled more of them by then, and says so later.
  for_each_receive([](const auto& allowed, Family family, const auto& receive) {
    Rig rig{{.allowed = allowed}};
    Subject one{rig, family, receive};
    std::uint64_t later = 0;
    one.stream.received = [&](ring::Slice slice) {
      if (!one.received.empty()) later += slice.size();
      one.received += text_of(slice);
      one.stream.quiesce();
    };
    one.turn_a_few();
    const std::string bytes = pattern(4, 0, 40'000);
    REQUIRE(write_some(one.pair.theirs, bytes) == bytes.size());
    REQUIRE(rig.run([&] { return one.quiets == 1; }));
    const bool multishot = rig.loop.kernel().capabilities().credit_receive && !receive.one_shot &&
                           family == Family::tcp;
    CHECK((later > 0) == multishot);
    const File socket{one.stream.release()};
    while (one.received.size() < bytes.size()) REQUIRE(read_some(socket, one.received));
    CHECK(one.received == bytes);
  });
}

TEST_CASE("quiesce: twice is as once, and again after it is quiet says so again") {
  Rig rig;
  Subject one{rig, Family::tcp, {.credit = 65536}};
  one.turn_a_few();
  one.stream.quiesce();
  one.stream.quiesce();
  REQUIRE(rig.run([&] { return one.quiets > 0; }));
  one.turn_a_few();
  CHECK(one.quiets == 1);
  one.stream.quiesce();
  CHECK(one.quiets == 1);
  REQUIRE(rig.run([&] { return one.quiets > 1; }));
  one.close();
  CHECK(one.quiets == 2);
}

TEST_CASE("quiesce: called off at any moment, receiving goes on") {
  for_each_receive([](const auto& allowed, Family family, const auto& receive) {
    Rig rig{{.allowed = allowed}};
    Subject one{rig, family, receive};
    // Before the receive is armed, while it is, while its cancel is on its way, when all is quiet.
    for (std::uint64_t turns = 0; turns < 5; ++turns) {
      CAPTURE(turns);
      one.quiets = 0;
      one.stream.quiesce();
      one.turn(turns);
      const int quiets = one.quiets;
      one.stream.receive_wanted(true);
      const std::string bytes = pattern(turns, 0, 9000);
      one.received.clear();
      REQUIRE(write_some(one.pair.theirs, bytes) == bytes.size());
      REQUIRE(rig.run([&] { return one.received.size() == bytes.size(); }));
      CHECK(one.received == bytes);
      CHECK(one.quiets == quiets);
      one.stream.receive_wanted(false);
      one.stream.receive_wanted(true);
    }
    CHECK(one.ends == 0);
    one.close();
  });
}

TEST_CASE("quiesce: a starved stream falls quiet") {
  for_each_receive([](const auto& allowed, Family family, const auto& receive) {
    Rig rig{{.allowed = allowed, .group = {.id = 0, .size = 4096, .count_min = 2, .count_max = 2}}};
    Subject one{rig, family, receive};
    std::vector<ring::Slice> held;
    std::string received;
    one.stream.received = [&](ring::Slice slice) {
      received += text_of(slice);
      held.push_back(std::move(slice));
    };
    const std::string bytes = pattern(3, 0, 20'000);
    REQUIRE(write_some(one.pair.theirs, bytes) == bytes.size());
    REQUIRE(rig.run([&] { return rig.loop.counters().starved > 0; }));
    one.stream.quiesce();
    REQUIRE(rig.run([&] { return one.quiets == 1; }));
    held.clear();
    one.turn_a_few();
    CHECK(one.stream.is_quiet());
    const File socket{one.stream.release()};
    while (received.size() < bytes.size()) REQUIRE(read_some(socket, received));
    CHECK(received == bytes);
  });
}

TEST_CASE("quiesce: the peer's end is said first if it comes first, else it waits in the socket") {
  for_each_receive([](const auto& allowed, Family family, const auto& receive) {
    for (const bool before : {true, false}) {
      CAPTURE(before);
      Rig rig{{.allowed = allowed}};
      Subject one{rig, family, receive};
      one.turn_a_few();
      if (before) {
        write_some(one.pair.theirs, "last words");
        one.pair.theirs.reset();
      }
      // The end may be in a completion that waits already, but is not seen yet.
      one.stream.quiesce();
      REQUIRE(rig.run([&] { return one.quiets == 1; }));
      if (!before) {
        write_some(one.pair.theirs, "last words");
        one.pair.theirs.reset();
      }
      const int ends = one.ends;
      one.turn_a_few();
      CHECK(one.ends == ends);
      // Whoever has it next reads what is left, and the end.
      HookedStream next{rig.loop};
      bool closed = false;
      bool ended = false;
      next.received = [&](ring::Slice slice) { one.received += text_of(slice); };
      next.ended = [&](int error) { ended = error == 0; };
      next.closed = [&] { closed = true; };
      next.open(one.stream.release(), receive);
      next.receive_wanted(true);
      REQUIRE(rig.run([&] { return ended; }));
      CHECK(one.received == "last words");
      next.close();
      REQUIRE(rig.run([&] { return closed; }));
    }
  });
}

TEST_CASE("quiesce: what is queued is sent first, and closing ends it") {
  for (const Family family : {Family::tcp, Family::unix_socket}) {
    for (const bool closing : {false, true}) {
      Rig rig;
      Subject one{rig, family, {.credit = 65536}};
      const std::string bytes = pattern(8, 0, 16 << 20);
      one.stream.send(ring::Slice::copy_of(bytes));
      one.stream.quiesce();
      one.turn_a_few();
      CHECK(one.quiets == 0);
      CHECK(one.stream.queued_bytes() > 0);
      if (closing) {
        one.close();
        CHECK(one.quiets == 0);
        continue;
      }
      std::string peer_got;
      REQUIRE(rig.run([&] { return one.quiets == 1; },
                      [&] { read_some(one.pair.theirs, peer_got, 1 << 20); }));
      while (peer_got.size() < bytes.size()) REQUIRE(read_some(one.pair.theirs, peer_got, 1 << 20));
      CHECK((peer_got == bytes));
      one.close();
    }
  }
}

// A thread with a loop; its streams echo, and go on to the other thread every so many bytes.
class MovingShard {
 public:
  MovingShard(const ring::Capabilities& allowed, std::atomic<int>& ready)
      : thread_{[this, allowed, &ready] { run(allowed, ready); }} {}
  MovingShard(const MovingShard&) = delete;
  MovingShard& operator=(const MovingShard&) = delete;
  ~MovingShard() { thread_.join(); }

  void stop() {
    loop_.load()->mailbox().post([this] { stopping_ = true; });
  }
  void take(int socket) {
    loop_.load()->mailbox().post([this, socket] { open(socket); });
  }
  void is_beside(MovingShard& other) { other_ = &other; }
  [[nodiscard]] std::uint64_t moves() const { return moves_.load(); }
  [[nodiscard]] int ends() const { return ends_.load(); }

 private:
  struct Echo {
    explicit Echo(ring::Loop& loop) : stream{loop} {}
    HookedStream stream;
    std::uint64_t due = 0;  // bytes until it moves
  };

  void run(const ring::Capabilities& allowed, std::atomic<int>& ready) {
    ring::Loop loop;
    ring::LoopOptions options;
    options.kernel.allowed = allowed;
    options.groups = {{.id = 0, .size = 4096, .count_min = 16, .count_max = 256}};
    if (loop.open(options)) std::abort();
    loop_ = &loop;
    ++ready;
    Handler handler;
    while (!stopping_ || loop.live() > 0) loop.turn(handler);
    if (!echoes_.empty() || !loop.group(0).all_free()) std::abort();
  }
  void open(int socket) {
    auto owned = std::make_unique<Echo>(*loop_.load());
    Echo& echo = *owned;
    echoes_.emplace(&echo, std::move(owned));
    echo.due = 1 + moves_.load() * 7 % 3000;
    auto& stream = echo.stream;
    stream.received = [this, &echo](ring::Slice slice) {
      echo.due -= std::min<std::uint64_t>(echo.due, slice.size());
      echo.stream.send(std::move(slice));
      // The question is half received, the answer half sent: the worst moment.
      if (echo.due > 0) return;
      echo.stream.quiesce();
    };
    stream.ended = [&stream](int) { stream.close(); };
    stream.send_failed = [&stream](int) { stream.close(); };
    stream.quiet = [this, &echo] {
      ++moves_;
      other_->take(echo.stream.release());
      echoes_.erase(&echo);
    };
    stream.closed = [this, &echo] {
      echoes_.erase(&echo);
      ++ends_;
    };
    stream.open(socket, {.credit = 16384});
    stream.receive_wanted(true);
  }

  std::atomic<ring::Loop*> loop_{nullptr};
  MovingShard* other_ = nullptr;
  std::map<const Echo*, std::unique_ptr<Echo>> echoes_;
  std::atomic<std::uint64_t> moves_{0};
  std::atomic<int> ends_{0};
  bool stopping_ = false;  // the shard's thread only
  std::thread thread_;
};

// Writes and reads its pattern in pieces, never more than so much ahead.
bool converse(const File& socket, std::uint64_t seed, std::size_t total) {
  std::size_t written = 0;
  std::string answer;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (answer.size() < total) {
    const std::size_t ahead = written - answer.size();
    if (written < total && ahead < 20'000) {
      const auto size = std::min<std::size_t>(total - written, 1 + (seed * 31 + written) % 3000);
      written += write_some(socket, pattern(seed, written, size));
    }
    const std::size_t before = answer.size();
    if (!read_some(socket, answer) || std::chrono::steady_clock::now() > end) return false;
    if (answer.size() == before) std::this_thread::yield();
  }
  return answer == pattern(seed, 0, total);
}

TEST_CASE("quiesce: streams move between two threads and every byte comes back once") {
  for_each_capability_off([](const ring::Capabilities& allowed) {
    std::atomic<int> ready{0};
    std::array<std::unique_ptr<MovingShard>, 2> shards;
    for (auto& shard : shards) shard = std::make_unique<MovingShard>(allowed, ready);
    while (ready.load() < 2) std::this_thread::yield();
    shards[0]->is_beside(*shards[1]);
    shards[1]->is_beside(*shards[0]);
    std::atomic<int> right{0};
    std::vector<std::thread> clients;
    for (std::uint64_t client = 0; client < 4; ++client) {
      clients.emplace_back([&, client] {
        Pair pair = connected_pair(client % 2 == 0 ? Family::tcp : Family::unix_socket);
        shards[client % 2]->take(pair.ours.release());
        if (converse(pair.theirs, client, 500'000)) ++right;
      });
    }
    for (auto& client : clients) client.join();
    CHECK(right.load() == 4);
    while (shards[0]->ends() + shards[1]->ends() < 4) std::this_thread::yield();
    CHECK(shards[0]->moves() + shards[1]->moves() > 100);
    for (auto& shard : shards) shard->stop();
  });
}

}  // namespace
}  // namespace ring_test
