#include "ring/loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "ring/check.h"

namespace ring {
namespace {

constexpr Duration accept_pause = std::chrono::milliseconds{100};

}  // namespace

Loop::Loop() : wake_file_{::eventfd(0, EFD_CLOEXEC)}, mailbox_{wake_file_} {}

Loop::~Loop() {
  mailbox_.wait_for_senders();
  if (wake_file_ >= 0) ::close(wake_file_);
}

std::optional<SetupError> Loop::open(const LoopOptions& options) {
  if (wake_file_ < 0) return explain_setup_error(EMFILE, read_setup_facts());
  if (auto error = kernel_.open(options.kernel)) return error;
  for (const auto& group : options.groups) {
    groups_.push_back(std::make_unique<BufferGroup>(kernel_));
    if (const int error = groups_.back()->open(group); error != 0) {
      return explain_setup_error(-error, read_setup_facts());
    }
  }
  rearm_budget_.resize(groups_.size());
  min_wait_ = options.min_wait;
  now_ = kernel_.now();
  timers_ = std::make_unique<TimerWheel>(now_);
  read_wake_file();
  return std::nullopt;
}

std::uint32_t Loop::take_slot(void* object) {
  if (free_slots_.empty()) {
    slots_.push_back({});
    free_slots_.push_back(static_cast<std::uint32_t>(slots_.size() - 1));
  }
  const auto slot = free_slots_.back();
  free_slots_.pop_back();
  slots_[slot].object = object;
  return slot;
}

void Loop::free_slot(std::uint32_t slot) {
  slots_[slot].object = nullptr;
  ++slots_[slot].generation;
  free_slots_.push_back(slot);
}

void Loop::check_name(const UserData& data) const {
  // A slot is freed only after its last completion: anything else means an operation was lost count of.
  RING_CHECK(data.slot < slots_.size());
  RING_CHECK(slots_[data.slot].object != nullptr);
  RING_CHECK((slots_[data.slot].generation & 0xffffffU) == data.generation);
}

void Loop::connect(Stream& stream, const sockaddr* address, socklen_t size) {
  RING_CHECK(size <= sizeof(sockaddr_storage));
  // The kernel reads it at the next enter, when the caller's may be gone.
  auto& copy = *addresses_.emplace_back(std::make_unique<sockaddr_storage>());
  std::memcpy(&copy, address, size);
  kernel_.connect(stream.socket_, reinterpret_cast<const sockaddr*>(&copy), size,
                  name(Operation::connect, stream.slot_));
}

void Loop::mark_dirty(Stream& stream) {
  if (stream.dirty_) return;
  stream.dirty_ = true;
  dirty_.push_back(&stream);
}

void Loop::flush() {
  for (Stream* const stream : dirty_) {
    stream->dirty_ = false;
    flush(*stream);
  }
  dirty_.clear();
}

void Loop::flush(Stream& stream) {
  if (stream.sending_ || stream.connecting_ || stream.queue_.empty()) return;
  if (stream.state_ != Stream::State::open && stream.state_ != Stream::State::finishing) return;
  if (iovecs_used_ + gather_max > iovecs_.size()) {
    // Ranges must live until they are submitted: submit, then start over.
    kernel_.enter({.poll_only = true});
    iovecs_used_ = 0;
  }
  const std::span<iovec> space{&iovecs_[iovecs_used_], gather_max};
  const std::uint32_t count = stream.queue_.gather(space);
  stream.ranges_in_flight_ = count;
  stream.sending_ = true;
  ++sends_queued_;
  ++counters_.sends;
  const auto data = name(Operation::send, stream.slot_);
  if (count == 1) {
    kernel_.send(stream.socket_,
                 {static_cast<const std::byte*>(space[0].iov_base), space[0].iov_len}, data);
  } else {
    ++counters_.gathers;
    iovecs_used_ += count;
    kernel_.send_gather(stream.socket_, space.first(count), data);
  }
}

void Loop::starve(Stream& stream) {
  ++counters_.starved;
  stream.starved_ = true;
  starved_.push_back(name(Operation::receive, stream.slot_));
}

void Loop::rearm_starved() {
  // After publish and right before the wait, so that a give-back from anywhere counts. As many as there are
  // buffers, oldest first: nobody is tried in vain, and one free buffer is enough to go on.
  for (std::size_t i = 0; i < groups_.size(); ++i) rearm_budget_[i] = groups_[i]->free();
  std::size_t kept = 0;
  for (const auto& data : starved_) {
    const auto& entry = slots_[data.slot];
    if (entry.object == nullptr || (entry.generation & 0xffffffU) != data.generation) continue;
    auto& stream = *static_cast<Stream*>(entry.object);
    if (!stream.starved_) continue;
    auto& budget = rearm_budget_[stream.receive_.group];
    if (budget == 0) {
      starved_[kept++] = data;
      continue;
    }
    --budget;
    stream.starved_ = false;
    stream.arm();
  }
  starved_.resize(kept);
}

void Loop::read_wake_file() {
  kernel_.read(wake_file_, std::as_writable_bytes(std::span{&wake_value_, 1}),
               {Operation::wake, 0, 0});
}

void Loop::wait() {
  const bool busy = again_ || more_completions_ || !quiet_.empty() || !settled_.empty();
  again_ = false;
  Kernel::Wait wait{
      .events = sends_queued_ + 1, .until = std::nullopt, .poll_only = busy, .min_wait = min_wait_};
  if (!busy) {
    wait.until = timers_->next_deadline();
    if (mailbox_.prepare_sleep()) wait.poll_only = true;
  }
  kernel_.enter(wait);
  mailbox_.awake();
  iovecs_used_ = 0;
  sends_queued_ = 0;
  addresses_.clear();
}

void Loop::forget(Stream& stream) {
  if (stream.dirty_) {
    stream.dirty_ = false;
    std::erase(dirty_, &stream);
  }
  if (stream.quiet_due_) {
    stream.quiet_due_ = false;
    std::erase(quiet_, &stream);
  }
  stream.quiescing_ = false;
  if (stream.socket_ >= 0) kernel_.close(stream.socket_);
  stream.socket_ = -1;
  stream.queue_.clear();
  stream.state_ = Stream::State::idle;
  free_slot(stream.slot_);
}

void Loop::stopped(Stream& stream, const Completion& completion) {
  stream.stopping_ = false;
  if (stream.state_ == Stream::State::closing) return stream.settle();
  if (stream.receiving_) {
    // Not found (it is just completing, or does so between two waits) or not to be stopped (a worker thread
    // is at it): it may go on receiving after that. Once more.
    if (completion.result < 0 && stream.quiescing_) stream.stop_receiving();
    return;
  }
  stream.arm();
  stream.note_quiet();
}

int Loop::accept_failed(Listener& listener, int error) {
  ++counters_.accept_errors;
  int refused = -1;
  if ((error == EMFILE || error == ENFILE) && listener.spare_ >= 0) {
    kernel_.close(listener.spare_);
    refused = kernel_.accept_now(listener.socket_);
    // The caller closes the refused one; the spare is taken again when the accept is tried next.
    listener.spare_ = -1;
  }
  timers_->set(listener.retry_, now_ + accept_pause);
  return refused;
}

}  // namespace ring
