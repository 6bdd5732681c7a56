#include "ring/probe_uring.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <optional>

#include "ring/buffer_ring_uring.h"
#include "ring/completion.h"

namespace ring {
namespace {

constexpr std::uint16_t trial_group = 3;
constexpr unsigned trial_buffers = 4;
constexpr unsigned trial_buffer_size = 64;

class SocketPair {
 public:
  SocketPair() { open_ = ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()) == 0; }
  ~SocketPair() {
    close_end(0);
    close_end(1);
  }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;
  [[nodiscard]] bool open() const { return open_; }
  [[nodiscard]] int end(std::size_t index) const { return ends_[index]; }
  void close_end(std::size_t index) {
    if (open_ && ends_[index] >= 0) ::close(ends_[index]);
    ends_[index] = -1;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
  bool open_ = false;
};

// Submits and takes the next completion; nothing within a second counts as "does not work".
std::optional<Completion> next_completion(io_uring& ring) {
  __kernel_timespec second{.tv_sec = 1, .tv_nsec = 0};
  io_uring_cqe* cqe = nullptr;
  if (io_uring_submit_and_wait_timeout(&ring, &cqe, 1, &second, nullptr) < 0 || cqe == nullptr)
    return std::nullopt;
  const Completion copy{cqe->user_data, cqe->res, cqe->flags};
  io_uring_cqe_seen(&ring, cqe);
  return copy;
}

// A receive with a credit of 8 bytes takes what is there, 16, and ends by itself (Linux 6.17; EINVAL before).
// The credit does not cut a receive short: the last one may go beyond it, by less than a buffer.
bool try_credit_receive(io_uring& ring) {
  const SocketPair pair;
  if (!pair.open()) return false;
  std::array<std::array<char, trial_buffer_size>, trial_buffers> memory{};
  BufferRing buffers;  // goes before the memory it points to
  if (buffers.open(ring, trial_group, trial_buffers) != 0) return false;
  for (std::uint16_t i = 0; i < trial_buffers; ++i) {
    buffers.add(memory[i].data(), trial_buffer_size, i);
  }
  buffers.publish();

  bool works = false;
  constexpr std::array<char, 16> bytes{};
  if (::send(pair.end(1), bytes.data(), bytes.size(), MSG_NOSIGNAL) == ssize_t{bytes.size()}) {
    auto* sqe = io_uring_get_sqe(&ring);
    io_uring_prep_recv_multishot(sqe, pair.end(0), nullptr, 0, 0);
    sqe->optlen = 8;
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = trial_group;
    io_uring_sqe_set_data64(sqe, 0);
    const auto completion = next_completion(ring);
    works = completion && completion->result > 0 && !completion->more();
    if (completion && completion->more()) {
      // It goes on regardless: end it before its sockets and buffers go.
      ::shutdown(pair.end(0), SHUT_RDWR);
      while (const auto more = next_completion(ring)) {
        if (!more->more()) break;
      }
    }
  }
  return works;
}

// A send of two ranges without a message header (Linux 6.17; EINVAL before).
bool try_send_vectorized(io_uring& ring) {
  const SocketPair pair;
  if (!pair.open()) return false;
  std::array<char, 3> first{'a', 'b', 'c'};
  std::array<char, 2> second{'d', 'e'};
  const std::array<iovec, 2> ranges{{{first.data(), first.size()}, {second.data(), second.size()}}};
  auto* sqe = io_uring_get_sqe(&ring);
  io_uring_prep_send(sqe, pair.end(0), ranges.data(), ranges.size(), MSG_NOSIGNAL | MSG_WAITALL);
  sqe->ioprio |= 1U << 5;
  io_uring_sqe_set_data64(sqe, 0);
  const auto completion = next_completion(ring);
  if (!completion || completion->result != 5) return false;
  std::array<char, 8> received{};
  return ::recv(pair.end(1), received.data(), received.size(), MSG_DONTWAIT) == 5 &&
         received[3] == 'd';
}

}  // namespace

Capabilities probe_capabilities(io_uring& ring) {
  Capabilities found;
  found.min_wait = (ring.features & IORING_FEAT_MIN_TIMEOUT) != 0;
  found.credit_receive = try_credit_receive(ring);
  found.send_vectorized = try_send_vectorized(ring);
  return found;
}

}  // namespace ring
