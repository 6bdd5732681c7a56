#include "ring/buffer_ring_uring.h"

#include <sys/mman.h>

#include <bit>
#include <cerrno>

#include "ring/check.h"

namespace ring {

int BufferRing::open(io_uring& ring, std::uint16_t group, std::uint32_t entries) {
  RING_CHECK(!is_open() && std::has_single_bit(entries));
  count_ = entries;
  void* const memory =
      ::mmap(nullptr, mapped_size(), PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
  if (memory == MAP_FAILED) return -errno;

  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
  registration.ring_entries = entries;
  registration.bgid = group;
  const int error = io_uring_register_buf_ring(&ring, &registration, 0);
  if (error != 0) {
    ::munmap(memory, mapped_size());
    return error;
  }
  ring_ = &ring;
  group_ = group;
  added_ = 0;
  entries_ = static_cast<io_uring_buf_ring*>(memory);
  io_uring_buf_ring_init(entries_);
  return 0;
}

void BufferRing::close() {
  if (!is_open()) return;
  // Memory that the kernel would not let go of stays mapped.
  if (io_uring_unregister_buf_ring(ring_, group_) == 0) ::munmap(entries_, mapped_size());
  entries_ = nullptr;
}

}  // namespace ring
