// The real kernel, through liburing. Hot path: queueing, enter and reap run for every message.
#include <fcntl.h>
#include <liburing.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

#include "ring/buffer_ring_uring.h"
#include "ring/check.h"
#include "ring/kernel.h"
#include "ring/probe_uring.h"

namespace ring {
namespace {

constexpr std::size_t groups_max = 4;
// Ranges of one gather, and messages waiting for the next enter: their headers must live until then.
constexpr std::size_t gather_headers_max = 512;

std::optional<int> open_ring(io_uring& ring, const KernelOptions& options) {
  io_uring_params params{};
  params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
  params.cq_entries = options.completion_entries;
  const int error = io_uring_queue_init_params(options.submission_entries, &ring, &params);
  if (error < 0) return -error;
  return std::nullopt;
}

}  // namespace

struct Kernel::Implementation {
  io_uring ring{};
  bool open = false;
  Capabilities capabilities;
  KernelCounters counters;
  std::array<BufferRing, groups_max> groups;
  std::array<msghdr, gather_headers_max> headers{};
  std::size_t headers_used = 0;

  void submit_now() {
    ++counters.full_queues;
    ++counters.enters;
    io_uring_submit(&ring);
    headers_used = 0;
  }
  io_uring_sqe* next() {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring);
    while (sqe == nullptr) {
      submit_now();
      sqe = io_uring_get_sqe(&ring);
    }
    return sqe;
  }
};

Kernel::Kernel() : implementation_{std::make_unique<Implementation>()} {}

Kernel::~Kernel() {
  if (!implementation_->open) return;
  for (BufferRing& group : implementation_->groups) group.close();
  io_uring_queue_exit(&implementation_->ring);
}

std::optional<SetupError> Kernel::open(const KernelOptions& options) {
  auto& self = *implementation_;
  if (const auto error = open_ring(self.ring, options))
    return explain_setup_error(*error, read_setup_facts());
  self.open = true;
  // Saves looking the ring's descriptor up at every enter; without it everything works the same.
  io_uring_register_ring_fd(&self.ring);
  self.capabilities = probe_capabilities(self.ring) & options.allowed;
  return std::nullopt;
}

const Capabilities& Kernel::capabilities() const { return implementation_->capabilities; }
const KernelCounters& Kernel::counters() const { return implementation_->counters; }

void Kernel::accept(int listener, UserData user_data) {
  auto* sqe = implementation_->next();
  io_uring_prep_multishot_accept(sqe, listener, nullptr, nullptr, SOCK_CLOEXEC);
  io_uring_sqe_set_data64(sqe, user_data.pack());
}

void Kernel::connect(int socket, const sockaddr* address, socklen_t size, UserData user_data) {
  auto* sqe = implementation_->next();
  io_uring_prep_connect(sqe, socket, address, size);
  io_uring_sqe_set_data64(sqe, user_data.pack());
}

void Kernel::receive(int socket, std::uint16_t group, ReceiveKind kind, std::uint32_t credit,
                     UserData user_data) {
  auto* sqe = implementation_->next();
  if (kind == ReceiveKind::multishot) {
    io_uring_prep_recv_multishot(sqe, socket, nullptr, 0, 0);
    sqe->optlen = credit;
  } else {
    io_uring_prep_recv(sqe, socket, nullptr, 0, 0);
  }
  // Data is not expected to be there yet: poll first saves a receive that finds nothing, and arming while
  // the group is empty does not fail at once.
  sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = group;
  io_uring_sqe_set_data64(sqe, user_data.pack());
}

void Kernel::send(int socket, std::span<const std::byte> bytes, UserData user_data) {
  auto* sqe = implementation_->next();
  io_uring_prep_send(sqe, socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_WAITALL);
  io_uring_sqe_set_data64(sqe, user_data.pack());
}

void Kernel::send_gather(int socket, std::span<const iovec> ranges, UserData user_data) {
  auto& self = *implementation_;
  if (self.headers_used == self.headers.size()) self.submit_now();
  auto* sqe = self.next();
  if (self.capabilities.send_vectorized) {
    io_uring_prep_send(sqe, socket, ranges.data(), ranges.size(), MSG_NOSIGNAL | MSG_WAITALL);
    sqe->ioprio |= 1U << 5;  // IORING_SEND_VECTORIZED, Linux 6.17; not in liburing 2.9's headers
  } else {
    msghdr& header = self.headers[self.headers_used++];
    header = msghdr{};
    header.msg_iov = const_cast<iovec*>(ranges.data());
    header.msg_iovlen = ranges.size();
    io_uring_prep_sendmsg(sqe, socket, &header, MSG_NOSIGNAL | MSG_WAITALL);
  }
  io_uring_sqe_set_data64(sqe, user_data.pack());
}

void Kernel::read(int file, std::span<std::byte> into, UserData user_data) {
  auto* sqe = implementation_->next();
  io_uring_prep_read(sqe, file, into.data(), static_cast<unsigned>(into.size()), 0);
  io_uring_sqe_set_data64(sqe, user_data.pack());
}

void Kernel::cancel(UserData target, UserData user_data) {
  auto* sqe = implementation_->next();
  io_uring_prep_cancel64(sqe, target.pack(), 0);
  io_uring_sqe_set_data64(sqe, user_data.pack());
}

void Kernel::enter(const Wait& wait) {
  auto& self = *implementation_;
  ++self.counters.enters;
  if (io_uring_cq_has_overflow(&self.ring)) ++self.counters.overflows;
  int result = 0;
  if (wait.poll_only) {
    result = io_uring_submit_and_get_events(&self.ring);
  } else {
    io_uring_cqe* cqe = nullptr;
    __kernel_timespec time{};
    __kernel_timespec* until = nullptr;
    if (wait.until) {
      const auto left = std::max(*wait.until - now(), Duration{0});
      time.tv_sec = left.count() / 1'000'000'000;
      time.tv_nsec = left.count() % 1'000'000'000;
      until = &time;
    }
    if (self.capabilities.min_wait && wait.events > 1) {
      // The kernel wants a timeout with a min-wait; an hour stands for "none".
      if (until == nullptr) {
        time.tv_sec = 3600;
        until = &time;
      }
      result = io_uring_submit_and_wait_min_timeout(
          &self.ring, &cqe, wait.events, until, static_cast<unsigned>(wait.min_wait.count() / 1000),
          nullptr);
    } else {
      result = io_uring_submit_and_wait_timeout(&self.ring, &cqe, 1, until, nullptr);
    }
  }
  // Short of memory the kernel starts fewer than asked. What they point to dies with this call.
  while (io_uring_sq_ready(&self.ring) > 0) io_uring_submit(&self.ring);
  self.headers_used = 0;
  // Interrupted, timed out, or completions must be reaped first: the next turn goes on.
  const bool expected =
      result >= 0 || result == -EINTR || result == -ETIME || result == -EBUSY || result == -EAGAIN;
  RING_CHECK(expected);
}

std::size_t Kernel::reap(std::span<Completion> into) {
  auto& ring = implementation_->ring;
  std::size_t count = 0;
  unsigned head = 0;
  io_uring_cqe* cqe = nullptr;
  io_uring_for_each_cqe(&ring, head, cqe) {
    if (count == into.size()) break;
    into[count++] = {cqe->user_data, cqe->res, cqe->flags};
  }
  io_uring_cq_advance(&ring, static_cast<unsigned>(count));
  return count;
}

int Kernel::register_buffers(std::uint16_t group, std::uint32_t entries) {
  auto& self = *implementation_;
  RING_CHECK(group < groups_max);
  return self.groups[group].open(self.ring, group, entries);
}

void Kernel::provide(std::uint16_t group, std::byte* memory, std::uint32_t size, std::uint16_t id) {
  implementation_->groups[group].add(memory, size, id);
}

void Kernel::publish(std::uint16_t group) { implementation_->groups[group].publish(); }

int Kernel::shutdown(int socket, int how) { return ::shutdown(socket, how) == 0 ? 0 : -errno; }

void Kernel::close(int file) { ::close(file); }

bool Kernel::multishot_reports_end(int socket) const {
  int domain = AF_UNIX;
  socklen_t size = sizeof domain;
  return ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain != AF_UNIX;
}

int Kernel::accept_now(int listener) {
  return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int Kernel::reserve_descriptor() { return ::open("/dev/null", O_RDONLY | O_CLOEXEC); }

Instant Kernel::now() const {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return Instant{Duration{std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec}};
}

}  // namespace ring
