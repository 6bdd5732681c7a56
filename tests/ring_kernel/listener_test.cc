#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "tests/ring_kernel/rig.h"

namespace ring_test {
namespace {

TEST_CASE("listener: accepts what comes, and after stop() nothing") {
  for (const Family family : {Family::tcp, Family::unix_socket}) {
    Rig rig;
    ring::Listener listener{rig.loop};
    File socket = listening_socket(family);
    const auto address = address_of(socket);
    std::vector<File> accepted;
    rig.handler.accepted = [&](ring::Listener& from, int descriptor) {
      CHECK(from.tag() == 17);
      accepted.emplace_back(descriptor);
    };
    listener.start(socket.release(), 17);
    std::vector<File> clients;
    for (int i = 0; i < 50; ++i) clients.push_back(connect_to(address));
    REQUIRE(rig.run([&] { return accepted.size() == 50; }));
    listener.stop();
    REQUIRE(rig.run([&] { return !listener.running(); }));
    const File late = unconnected_socket(family);
    CHECK(::connect(late.get(), address.get(), address.size) != 0);
    CHECK(accepted.size() == 50);
  }
}

// Everything that needs a low descriptor limit, in a process of its own. Returns its exit code.
int run_out_of_descriptors() {
  Rig rig;
  ring::Listener listener{rig.loop};
  File socket = listening_socket(Family::tcp);
  const auto address = address_of(socket);
  std::vector<File> accepted;
  int refused = 0;
  rig.handler.accepted = [&](ring::Listener&, int descriptor) {
    accepted.emplace_back(descriptor);
  };
  rig.handler.refused = [&](ring::Listener&, int descriptor) {
    if (::send(descriptor, "full", 4, MSG_NOSIGNAL) == 4) ++refused;
  };
  // The clients first, while there are descriptors; accepted is only what fits below the limit then.
  std::vector<File> clients;
  for (int i = 0; i < 12; ++i) clients.push_back(connect_to(address));
  const int next = ::dup(0);
  ::close(next);
  const rlimit few{static_cast<rlim_t>(next + 4), static_cast<rlim_t>(next + 4)};
  if (::setrlimit(RLIMIT_NOFILE, &few) != 0) return 2;
  listener.start(socket.release(), 0);
  if (!rig.run([&] { return refused >= 2; })) return 3;
  if (accepted.size() != 3) return 4;
  // Paused in between: two refusals cost two errors, not a spin.
  if (rig.loop.counters().turns > 500) return 5;
  // Descriptors come back: those still waiting are accepted.
  accepted.clear();
  clients.erase(clients.begin(), clients.begin() + 5);
  const auto until_all = [&] { return static_cast<int>(accepted.size()) + refused >= 5; };
  if (!rig.run(until_all, [&] { accepted.size() > 2 ? accepted.clear() : void(); })) return 6;
  listener.stop();
  if (!rig.run([&] { return !listener.running(); })) return 7;
  return 0;
}

TEST_CASE("listener: without descriptors it tells one client at a time and does not spin") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) ::_exit(run_out_of_descriptors());
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

// A thread with a loop, as a shard is; its streams echo.
class EchoShard {
 public:
  explicit EchoShard(std::atomic<int>& ready) : thread_{[this, &ready] { run(ready); }} {}
  ~EchoShard() {
    loop_.load()->mailbox().post([this] { stopping_ = true; });
    thread_.join();
  }
  // Any thread.
  void take(int socket) {
    loop_.load()->mailbox().post([this, socket] { open(socket); });
  }
  [[nodiscard]] std::uint64_t echoed() const { return echoed_.load(); }

 private:
  void run(std::atomic<int>& ready) {
    ring::Loop loop;
    ring::LoopOptions options;
    options.groups = {{.id = 0, .size = 4096, .count_min = 16, .count_max = 256}};
    if (loop.open(options)) std::abort();
    loop_ = &loop;
    ++ready;
    Handler handler;
    while (!stopping_ || loop.live() > 0) loop.turn(handler);
    streams_.clear();
    if (!loop.group(0).all_free()) std::abort();
  }
  void open(int socket) {
    auto& stream = *streams_.emplace_back(std::make_unique<HookedStream>(*loop_.load()));
    stream.received = [this, &stream](ring::Slice slice) {
      echoed_ += slice.size();
      stream.send(std::move(slice));
    };
    stream.ended = [&stream](int) { stream.close(); };
    stream.send_failed = [&stream](int) { stream.close(); };
    stream.open(socket, {.group = 0, .credit = 65536});
    stream.receive_wanted(true);
  }

  std::atomic<ring::Loop*> loop_{nullptr};
  std::vector<std::unique_ptr<HookedStream>> streams_;
  std::atomic<std::uint64_t> echoed_{0};
  bool stopping_ = false;  // the shard's thread only
  std::thread thread_;
};

// One client's conversation; blocking reads in pieces.
bool talk(File& socket, std::uint64_t seed, std::size_t rounds) {
  std::uint64_t offset = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    const std::string question = pattern(seed, offset, 1 + (seed * 31 + round * 17) % 5000);
    offset += question.size();
    std::string_view left = question;
    std::string answer;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds{30};
    while (answer.size() < question.size()) {
      left.remove_prefix(left.empty() ? 0 : write_some(socket, left));
      const std::size_t before = answer.size();
      if (!read_some(socket, answer) || std::chrono::steady_clock::now() > end) return false;
      if (answer.size() == before) std::this_thread::yield();
    }
    if (answer != question) return false;
  }
  return true;
}

TEST_CASE("mailbox: sleeping loops in threads are woken by descriptors handed to them") {
  // Method: shards sleep without any timer; every connection reaches one by mailbox from another thread.
  std::atomic<int> ready{0};
  std::vector<std::unique_ptr<EchoShard>> shards;
  for (int i = 0; i < 3; ++i) shards.push_back(std::make_unique<EchoShard>(ready));
  while (ready.load() < 3) std::this_thread::yield();
  std::atomic<int> right{0};
  std::vector<std::thread> clients;
  for (std::uint64_t client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      for (std::uint64_t i = 0; i < 15; ++i) {
        Pair pair = connected_pair(i % 2 == 0 ? Family::tcp : Family::unix_socket);
        shards[(client + i) % 3]->take(pair.ours.release());
        if (talk(pair.theirs, client * 100 + i, 10)) ++right;
      }
    });
  }
  for (auto& client : clients) client.join();
  CHECK(right.load() == 60);
  for (const auto& shard : shards) CHECK(shard->echoed() > 0);
}

}  // namespace
}  // namespace ring_test
