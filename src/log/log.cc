#include "src/log/log.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <climits>
#include <optional>
#include <thread>

#include "src/base/check.h"
#include "src/log/log_queue.h"

namespace pgring::log {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds flush_max{2000};
// One write of at most PIPE_BUF after POLLOUT never blocks on a pipe, so stop() keeps its promise
// without making stderr, which other processes share, non-blocking.
constexpr std::size_t batch_size = PIPE_BUF;
static_assert(line_size_max <= batch_size);

// Zero pages of the binary: no shard ever finds it gone.
constinit LogQueue queue_storage;

class Logger {
 public:
  void start(const LogConfig& config, int fd) {
    POOLER_CHECK(!thread_.joinable());
    fd_ = fd;
    if (queue_.claimed() == 0) queue_.touch();
    stopping_.store(false);
    deadline_.store(no_deadline);
    // Signals are the main thread's business.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    POOLER_CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    thread_ = std::thread([this] { run(); });
    POOLER_CHECK(pthread_sigmask(SIG_SETMASK, &before, nullptr) == 0);
    pthread_setname_np(thread_.native_handle(), "pgring-log");
    configure(config);
    set_check_failed_hook(&flush_before_abort);
  }

  void configure(const LogConfig& config) {
    format_.store(config.format, std::memory_order_relaxed);
    detail::level_min.store(static_cast<int>(config.level), std::memory_order_relaxed);
  }

  void stop() {
    if (!thread_.joinable()) return;
    set_check_failed_hook(nullptr);
    detail::level_min.store(detail::level_off, std::memory_order_relaxed);
    deadline_.store((steady_clock::now() + flush_max).time_since_epoch().count());
    stopping_.store(true);
    wake();
    thread_.join();
  }

  void write(LogLevel level, std::string_view message, std::initializer_list<Field> fields,
             std::uint64_t suppressed) {
    const LogQueue::Claim claim = queue_.claim();
    if (claim.slot == nullptr) {
      dropped_.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    LineWriter line(claim.slot->text, format_.load(std::memory_order_relaxed));
    line.begin(Clock::now(), level, message);
    for (const Field& field : fields) line.field(field);
    if (suppressed > 0) line.field({"suppressed", suppressed});
    claim.slot->size = static_cast<std::uint32_t>(line.finish());
    queue_.publish(claim);
    // Paired with the fence in wait(): either this sees the sleeper or the sleeper sees the line.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (asleep_.load(std::memory_order_relaxed)) wake();
  }

  [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  static constexpr std::int64_t no_deadline = INT64_MAX;

  static void flush_before_abort();

  void wake() {
    asleep_.store(false);
    asleep_.notify_one();
  }

  void run() {
    while (true) {
      const bool last_round = stopping_.load();
      drain();
      if (last_round) break;
      wait();
    }
  }

  void wait() {
    asleep_.store(true);
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (queue_.front() != nullptr || stopping_.load()) {
      asleep_.store(false);
      return;
    }
    asleep_.wait(true);
  }

  void drain() {
    while (queue_.front() != nullptr) {
      std::size_t size = 0;
      std::uint64_t lines = 0;
      while (const Slot* slot = queue_.front()) {
        if (slot->size > batch_.size() - size) break;
        std::copy_n(slot->text.begin(), slot->size,
                    batch_.begin() + static_cast<std::ptrdiff_t>(size));
        size += slot->size;
        queue_.release();
        ++lines;
      }
      if (!write_batch(size)) dropped_.fetch_add(lines, std::memory_order_relaxed);
      written_.fetch_add(lines, std::memory_order_release);
      report_dropped();
    }
    report_dropped();
  }

  void report_dropped() {
    const std::uint64_t total = dropped();
    if (total == reported_) return;
    LineWriter line(batch_, format_.load(std::memory_order_relaxed));
    line.begin(Clock::now(), LogLevel::warning, "log lines dropped");
    line.field({"count", total - reported_});
    line.field({"total", total});
    if (write_batch(line.finish())) reported_ = total;
  }

  // False: stderr is gone, or nobody read it until the deadline of stop().
  bool write_batch(std::size_t size) {
    std::size_t done = 0;
    while (done < size) {
      if (!wait_writable()) return false;
      const ssize_t wrote = ::write(fd_, batch_.data() + done, size - done);
      if (wrote < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (wrote < 0) return false;
      done += static_cast<std::size_t>(wrote);
    }
    return true;
  }

  bool wait_writable() {
    for (;;) {
      const bool is_late = steady_clock::now().time_since_epoch().count() >= deadline_.load();
      pollfd target{fd_, POLLOUT, 0};
      // Short, because stop() may set a deadline while this waits.
      const int ready = poll(&target, 1, is_late ? 0 : 100);
      if (ready > 0) return (target.revents & POLLOUT) != 0;
      if ((ready < 0 && errno != EINTR) || is_late) return false;
    }
  }

  LogQueue& queue_ = queue_storage;
  std::atomic<LogFormat> format_{LogFormat::text};
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<std::uint64_t> written_{0};  // taken from the queue and written or dropped
  std::atomic<bool> asleep_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<std::int64_t> deadline_{no_deadline};

  // The logger thread's.
  int fd_ = -1;
  std::uint64_t reported_ = 0;
  std::array<char, batch_size> batch_{};

  std::thread thread_;  // the main thread's
};

// Never destroyed: shards may log until the very end of the process.
Logger& logger() {
  static auto* const instance = new Logger;
  return *instance;
}

void Logger::flush_before_abort() {
  Logger& self = logger();
  if (std::this_thread::get_id() == self.thread_.get_id()) return;  // it cannot wait for itself
  const auto give_up = steady_clock::now() + flush_max;
  const std::uint64_t goal = self.queue_.claimed();
  while (self.written_.load(std::memory_order_acquire) < goal && steady_clock::now() < give_up) {
    self.wake();
    std::this_thread::sleep_for(milliseconds(1));
  }
}

}  // namespace

void detail::write(LogLevel level, std::string_view message, std::initializer_list<Field> fields,
                   std::uint64_t suppressed) {
  logger().write(level, message, fields, suppressed);
}

void start(const LogConfig& config, int fd) { logger().start(config, fd); }
void configure(const LogConfig& config) { logger().configure(config); }
void stop() { logger().stop(); }
std::uint64_t dropped() { return logger().dropped(); }

}  // namespace pgring::log
