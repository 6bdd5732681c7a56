#include "ring/slice.h"

#include <cstdlib>
#include <new>

#include "ring/buffer_group.h"
#include "ring/check.h"

namespace ring {

Slice Slice::of_size(std::uint32_t size) {
  void* memory = std::malloc(sizeof(Block) + size);
  RING_CHECK(memory != nullptr);
  auto* block = new (memory) Block{.shares = 1};
  return Slice{reinterpret_cast<std::byte*>(block + 1), size, block};
}

Slice Slice::copy_of(std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  Slice copy = of_size(static_cast<std::uint32_t>(bytes.size()));
  std::memcpy(copy.writable().data(), bytes.data(), bytes.size());
  return copy;
}

std::span<std::byte> Slice::writable() {
  RING_CHECK(is_only_share());
  return {const_cast<std::byte*>(data_), size_};
}

void Slice::recycle(Block* block) {
  if (block->group != nullptr) {
    block->group->take_back(*block);
  } else {
    std::free(block);
  }
}

}  // namespace ring
