// BufferRing: a ring of provided buffers, shared with the kernel. Hot path: once per received buffer.
//
// What:   add() writes entries that the kernel does not see yet, publish() shows them with one store.
//         The memory is mapped here and not by io_uring_setup_buf_ring(), which calls the kernel past
//         the C library: ThreadSanitizer would take a later mapping at the same address, by another
//         thread's loop, for this one.
// Owner:  Kernel, and the trial of a capability; used on the thread of the io_uring.
// Life:   open() to close(), before the io_uring goes. The buffers are the caller's.
// Units:  entries is a power of two, at most 32768; sizes in bytes.
// Errors: open() gives -errno.
// Source: io_uring_register_buf_ring(3), io_uring_buf_ring_add(3).
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>

namespace ring {

class BufferRing {
 public:
  BufferRing() = default;
  ~BufferRing() { close(); }
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;

  // REQUIRES: not open; `ring` lives until close(). 0 or -errno.
  [[nodiscard]] int open(io_uring& ring, std::uint16_t group, std::uint32_t entries);
  [[nodiscard]] bool is_open() const { return entries_ != nullptr; }
  void close();

  void add(void* memory, std::uint32_t size, std::uint16_t id) {
    io_uring_buf_ring_add(entries_, memory, size, id, io_uring_buf_ring_mask(count_), added_++);
  }
  void publish() {
    io_uring_buf_ring_advance(entries_, added_);
    added_ = 0;
  }

 private:
  [[nodiscard]] std::size_t mapped_size() const { return count_ * sizeof(io_uring_buf); }

  io_uring* ring_ = nullptr;
  io_uring_buf_ring* entries_ = nullptr;
  std::uint32_t count_ = 0;
  std::uint16_t group_ = 0;
  int added_ = 0;  // since the last publish()
};

}  // namespace ring
