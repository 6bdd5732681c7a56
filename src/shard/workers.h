// Workers: threads for what a login waits for and a shard must not: hashing a password with thousands of
// rounds, asking the system what somebody is called.
//
// Owner:  Shared. post() from any thread; a task tells its result by Shard::post.
// Life:   the threads begin with the first task; after stop() none runs, and what waited is destroyed unrun.
//         stop() comes before the shards are destroyed.
// Errors: post() is false when too many tasks wait, or after stop(): the caller's login is refused.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace pgring {

class Workers {
 public:
  using Task = std::move_only_function<void()>;

  Workers() = default;
  ~Workers() { stop(); }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  [[nodiscard]] bool post(Task task);
  void stop();

  static constexpr std::size_t waiting_max = 10'000;
  static constexpr std::size_t thread_count = 2;  // one slow answer does not stop all others

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable has_work_;
  std::deque<Task> waiting_;
  std::vector<std::thread> threads_;
  bool is_stopped_ = false;
};

}  // namespace pgring
