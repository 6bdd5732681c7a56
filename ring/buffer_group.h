// Provided buffers of one size: lent to the kernel, which fills them as data comes, and taken back.
//
// What:   a buffer is the kernel's from provide() until a completion names it; then it is the Slice's made
//         by take(); when the last share goes it is lent again at the next publish(). Nothing is copied.
// Owner:  one Loop; not thread-safe. Outlives every slice of it.
// Units:  sizes in bytes, counts in buffers. The group starts with `count_min` buffers and grows up to
//         `count_max` (a power of two) while few are free, so that slow readers that hold buffers do not
//         stop their neighbours; it gives memory back when most are free.
// Errors: open() returns -errno. When all count_max are held, receives end with ENOBUFS (see Loop).
// Source: io_uring_register_buf_ring(3), io_uring_buf_ring_add(3), Linux 5.19.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "ring/kernel.h"
#include "ring/slice.h"

namespace ring {

struct BufferGroupOptions {
  std::uint16_t id = 0;
  std::uint32_t size = 4096;  // bytes; a multiple of the page size lets memory be given back
  std::uint32_t count_min = 64;
  std::uint32_t count_max = 4096;
};

class BufferGroup {
 public:
  explicit BufferGroup(Kernel& kernel) : kernel_{kernel} {}
  ~BufferGroup();
  BufferGroup(const BufferGroup&) = delete;
  BufferGroup& operator=(const BufferGroup&) = delete;

  [[nodiscard]] int open(const BufferGroupOptions& options);

  // The completion named buffer `id` with `size` bytes: it is ours now. Hot path.
  [[nodiscard]] Slice take(std::uint16_t id, std::uint32_t size);
  // Lends again what came back, and grows when few are free. Once per turn.
  void publish();

  [[nodiscard]] std::uint16_t id() const { return options_.id; }
  [[nodiscard]] std::uint32_t size() const { return options_.size; }
  // Buffers the kernel may fill (as of the last publish) and those that exist.
  [[nodiscard]] std::uint32_t free() const { return free_; }
  [[nodiscard]] std::uint32_t population() const { return population_; }
  [[nodiscard]] std::uint32_t count_max() const { return options_.count_max; }
  [[nodiscard]] bool exhausted() const { return free_ == 0 && population_ == options_.count_max; }
  // All buffers are in the hands of the kernel: nothing was leaked. For tests and shutdown.
  [[nodiscard]] bool all_free() const { return free_ == population_; }

 private:
  friend class Slice;
  void take_back(Block& block);
  void grow();
  void retire(std::uint16_t id);
  [[nodiscard]] std::byte* memory_of(std::uint16_t id) const {
    return memory_ + std::size_t{id} * options_.size;
  }

  Kernel& kernel_;
  BufferGroupOptions options_;
  std::byte* memory_ = nullptr;         // count_max * size, reserved; only touched pages exist
  std::vector<Block> blocks_;           // by id
  std::vector<std::uint16_t> retired_;  // ids without memory, to be used first when growing
  std::uint32_t population_ = 0;
  std::uint32_t free_ = 0;
  bool provided_ = false;  // something waits for publish
};

}  // namespace ring
