// The seam to the kernel: everything this library asks of it, for one thread.
//
// What:   operations are queued and start at enter(); completions are visible after enter() only, never
//         inside a queueing call. Calls on descriptors (shutdown, close) act at once.
// Owner:  one Loop; made, used and destroyed on its thread (IORING_SETUP_SINGLE_ISSUER, Linux 6.0).
// Life:   what an operation points to lives until its completion (bytes) or until enter() (addresses,
//         iovecs). A descriptor is closed only when no operation names it any more.
// Errors: open() says why not; operations report through their completion.
// Two implementations, chosen at link time: kernel_uring.cc (liburing), tests/simulation/kernel_sim.cc.
// Source: io_uring_setup(2), io_uring_enter(2), io_uring_prep_*(3).
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "ring/capabilities.h"
#include "ring/clock.h"
#include "ring/completion.h"
#include "ring/setup_error.h"

namespace ring {

struct KernelOptions {
  std::uint32_t submission_entries = 1024;
  std::uint32_t completion_entries = 8192;
  Capabilities allowed = Capabilities::all();
};

struct KernelCounters {
  std::uint64_t enters = 0;  // io_uring_enter calls
  std::uint64_t overflows =
      0;  // turns in which the completion queue had overflowed (nothing is lost)
  std::uint64_t full_queues = 0;  // submissions forced by a full submission queue
};

enum class ReceiveKind : std::uint8_t { one_shot, multishot };

class Kernel {
 public:
  Kernel();
  ~Kernel();
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;

  [[nodiscard]] std::optional<SetupError> open(const KernelOptions& options);
  [[nodiscard]] const Capabilities& capabilities() const;
  [[nodiscard]] const KernelCounters& counters() const;

  void accept(int listener, UserData user_data);  // multishot, close-on-exec
  void connect(int socket, const sockaddr* address, socklen_t size, UserData user_data);
  // Takes a buffer of `group`. credit: a multishot receive ends after so many bytes (0: no end).
  void receive(int socket, std::uint16_t group, ReceiveKind kind, std::uint32_t credit,
               UserData user_data);
  // Whole or error: MSG_WAITALL; a short result still means an error came after so many bytes.
  void send(int socket, std::span<const std::byte> bytes, UserData user_data);
  void send_gather(int socket, std::span<const iovec> ranges, UserData user_data);
  void read(int file, std::span<std::byte> into, UserData user_data);
  void cancel(UserData target, UserData user_data);

  // Starts what is queued, then waits until `events` completions are there or `until` has come
  // (nothing: does not wait). min_wait: after so long one event is enough (needs the capability).
  struct Wait {
    std::uint32_t events = 1;
    std::optional<Instant> until;
    bool poll_only = false;
    Duration min_wait{0};
  };
  void enter(const Wait& wait);
  // Copies completions out; the rest stays for the next call.
  [[nodiscard]] std::size_t reap(std::span<Completion> into);

  // A ring of provided buffers. entries: a power of two, at most 32768. Returns 0 or -errno.
  [[nodiscard]] int register_buffers(std::uint16_t group, std::uint32_t entries);
  void provide(std::uint16_t group, std::byte* memory, std::uint32_t size, std::uint16_t id);
  void publish(
      std::uint16_t group);  // makes all provided since the last publish visible, one store

  [[nodiscard]] int shutdown(int socket, int how);
  void close(int file);
  // Whether a multishot receive on this socket is sure to report the peer's end. On a Unix socket it is not:
  // when the end comes together with the last data, no wake-up is left for it (seen on Linux 6.18).
  [[nodiscard]] bool multishot_reports_end(int socket) const;
  // Out of descriptors: takes one waiting connection at once; -1 when there is none.
  [[nodiscard]] int accept_now(int listener);
  // A descriptor held in reserve; -1 when there is none to be had.
  [[nodiscard]] int reserve_descriptor();
  [[nodiscard]] Instant now() const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace ring
