#include "src/shard/workers.h"

#include <pthread.h>

#include <utility>

namespace pgring {

bool Workers::post(Task task) {
  {
    const std::scoped_lock lock{mutex_};
    if (is_stopped_ || waiting_.size() >= waiting_max) return false;
    waiting_.push_back(std::move(task));
    // The first task comes from a shard or the main thread: signals are blocked there, and so here.
    while (threads_.size() < thread_count) threads_.emplace_back([this] { work(); });
  }
  has_work_.notify_one();
  return true;
}

void Workers::stop() {
  std::vector<std::thread> ending;
  std::deque<Task> dropped;
  {
    const std::scoped_lock lock{mutex_};
    is_stopped_ = true;
    ending.swap(threads_);
    dropped.swap(waiting_);
  }
  has_work_.notify_all();
  for (auto& thread : ending) thread.join();
}

void Workers::work() {
  (void)::pthread_setname_np(::pthread_self(), "pgring-login");  // for people; nothing hangs on it
  std::unique_lock lock{mutex_};
  for (;;) {
    has_work_.wait(lock, [this] { return is_stopped_ || !waiting_.empty(); });
    if (is_stopped_) return;
    {
      Task task = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      task();
    }
    lock.lock();
  }
}

}  // namespace pgring
