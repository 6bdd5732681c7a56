#include "ring/buffer_group.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "ring/check.h"
#include "ring/poison.h"

namespace ring {

BufferGroup::~BufferGroup() {
  if (memory_ == nullptr) return;
  const auto bytes = std::size_t{options_.size} * options_.count_max;
  unpoison(memory_, bytes);
  ::munmap(memory_, bytes);
}

int BufferGroup::open(const BufferGroupOptions& options) {
  options_ = options;
  const auto bytes = std::size_t{options.size} * options.count_max;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return -errno;
  memory_ = static_cast<std::byte*>(memory);
  // A huge page would make 2 MiB resident for one received message.
  ::madvise(memory, bytes, MADV_NOHUGEPAGE);
  if (const int error = kernel_.register_buffers(options.id, options.count_max); error != 0)
    return error;

  blocks_.resize(options.count_max);
  retired_.reserve(options.count_max);
  for (std::uint32_t id = options.count_max; id-- > 0;) {
    blocks_[id].id = static_cast<std::uint16_t>(id);
    blocks_[id].group = this;
    retired_.push_back(static_cast<std::uint16_t>(id));
  }
  poison(memory_, bytes);
  while (population_ < options.count_min) grow();
  kernel_.publish(options_.id);
  provided_ = false;
  return 0;
}

Slice BufferGroup::take(std::uint16_t id, std::uint32_t size) {
  RING_CHECK(id < blocks_.size());
  Block& block = blocks_[id];
  RING_CHECK(block.shares == 0);
  block.shares = 1;
  --free_;
  unpoison(memory_of(id), size);
  return Slice::adopt(memory_of(id), size, &block);
}

void BufferGroup::take_back(Block& block) {
  poison(memory_of(block.id), options_.size);
  ++free_;
  // Most are free: shrink towards count_min, one buffer per buffer given back.
  if (population_ > options_.count_min && free_ > population_ - population_ / 8) {
    retire(block.id);
    return;
  }
  kernel_.provide(options_.id, memory_of(block.id), options_.size, block.id);
  provided_ = true;
}

void BufferGroup::publish() {
  if (free_ < population_ / 4 || free_ == 0) {
    for (std::uint32_t step = 0; step < options_.count_min && population_ < options_.count_max;
         ++step)
      grow();
  }
  if (!provided_) return;
  kernel_.publish(options_.id);
  provided_ = false;
}

void BufferGroup::grow() {
  const std::uint16_t id = retired_.back();
  retired_.pop_back();
  ++population_;
  ++free_;
  kernel_.provide(options_.id, memory_of(id), options_.size, id);
  provided_ = true;
}

void BufferGroup::retire(std::uint16_t id) {
  --population_;
  --free_;
  retired_.push_back(id);
  // A page may hold parts of neighbours, which are in use.
  static const auto page_size = static_cast<std::uint32_t>(::sysconf(_SC_PAGESIZE));
  if (options_.size % page_size == 0) ::madvise(memory_of(id), options_.size, MADV_DONTNEED);
}

}  // namespace ring
