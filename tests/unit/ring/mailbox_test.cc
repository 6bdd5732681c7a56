#include "ring/mailbox.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace {

using ring::Mailbox;

std::atomic<bool> next_task_ends{false};

class EventFile {
 public:
  EventFile() : descriptor_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} { REQUIRE(descriptor_ >= 0); }
  ~EventFile() { ::close(descriptor_); }
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }
  // Waits at most ten seconds; false: nobody rang.
  bool wait() const {
    pollfd file{descriptor_, POLLIN, 0};
    if (::poll(&file, 1, 10'000) != 1) return false;
    std::uint64_t value = 0;
    return ::read(descriptor_, &value, sizeof value) == sizeof value;
  }
  [[nodiscard]] bool rung() const {
    pollfd file{descriptor_, POLLIN, 0};
    return ::poll(&file, 1, 0) == 1;
  }

 private:
  int descriptor_;
};

TEST_CASE("mailbox: tasks run once, in the order posted, on the thread that drains") {
  const EventFile file;
  Mailbox mailbox{file.get()};
  std::vector<int> ran;
  for (int i = 0; i < 5; ++i) mailbox.post([&ran, i] { ran.push_back(i); });
  CHECK(ran.empty());
  mailbox.drain();
  CHECK(ran == std::vector<int>{0, 1, 2, 3, 4});
  mailbox.drain();
  CHECK(ran.size() == 5);
}

TEST_CASE("mailbox: only a sleeping loop is rung, and one that has mail does not sleep") {
  const EventFile file;
  Mailbox mailbox{file.get()};
  mailbox.post([] {});
  CHECK(!file.rung());
  CHECK(mailbox.prepare_sleep());
  mailbox.awake();
  mailbox.drain();
  CHECK(!mailbox.prepare_sleep());
  mailbox.post([] {});
  CHECK(file.rung());
}

TEST_CASE("mailbox: a task posted by a task is not lost") {
  const EventFile file;
  Mailbox mailbox{file.get()};
  int ran = 0;
  mailbox.post([&] {
    ++ran;
    mailbox.post([&] { ++ran; });
  });
  mailbox.drain();
  CHECK(mailbox.prepare_sleep());
  mailbox.drain();
  CHECK(ran == 2);
}

TEST_CASE("mailbox: what was never drained is destroyed unrun") {
  const EventFile file;
  auto watched = std::make_shared<int>(0);
  {
    Mailbox mailbox{file.get()};
    mailbox.post([watched] { ++*watched; });
    mailbox.post([watched] { ++*watched; });
    CHECK(watched.use_count() == 3);
  }
  CHECK(watched.use_count() == 1);
  CHECK(*watched == 0);
}

TEST_CASE("mailbox: the task that ends the receiver may run before its post has returned") {
  // As a shard ends: told by a task, it destroys mailbox and file. Thread and address sanitizers watch.
  for (int round = 0; round < 200; ++round) {
    std::atomic<Mailbox*> open{nullptr};
    std::thread receiver{[&] {
      const EventFile file;
      Mailbox mailbox{file.get()};
      open = &mailbox;
      while (!next_task_ends.load()) {
        if (!mailbox.prepare_sleep()) std::this_thread::yield();
        mailbox.awake();
        mailbox.drain();
      }
    }};
    while (open.load() == nullptr) std::this_thread::yield();
    open.load()->post([] { next_task_ends = true; });
    receiver.join();
    next_task_ends = false;
  }
}

TEST_CASE(
    "mailbox: threads' tasks each arrive once, in each sender's order, and wake the sleeper") {
  // Method: the receiver sleeps on the file whenever it may, so a lost wake-up stops it for good.
  // It is asleep before the first sender starts: at least that sleep is ended by a post.
  constexpr std::size_t senders = 4;
  constexpr std::uint32_t each = 20'000;
  const EventFile file;
  Mailbox mailbox{file.get()};
  std::array<std::uint32_t, senders> next{};
  std::uint64_t total = 0;
  bool in_order = true;
  REQUIRE_FALSE(mailbox.prepare_sleep());
  std::vector<std::thread> threads;
  for (std::size_t sender = 0; sender < senders; ++sender) {
    threads.emplace_back([&, sender] {
      for (std::uint32_t i = 0; i < each; ++i) {
        mailbox.post([&, sender, i] {
          in_order = in_order && next[sender] == i;
          next[sender] = i + 1;
          ++total;
        });
        if (i % 64 == sender) std::this_thread::yield();
      }
    });
  }
  bool woken = file.wait();
  mailbox.awake();
  mailbox.drain();
  while (woken && total < senders * each) {
    if (!mailbox.prepare_sleep()) woken = file.wait();
    mailbox.awake();
    mailbox.drain();
  }
  for (auto& thread : threads) thread.join();
  mailbox.drain();
  CHECK(woken);
  CHECK(in_order);
  CHECK(total == senders * each);
}

}  // namespace
