#include "ring/slice.h"

#include <cstdlib>
#include <new>

#include "ring/buffer_group.h"
#include "ring/check.h"

namespace ring {

Slice Slice::copy_of(std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  void* memory = std::malloc(sizeof(Block) + bytes.size());
  RING_CHECK(memory != nullptr);
  auto* block = new (memory) Block{.shares = 1};
  auto* data = reinterpret_cast<std::byte*>(block + 1);
  std::memcpy(data, bytes.data(), bytes.size());
  return Slice{data, static_cast<std::uint32_t>(bytes.size()), block};
}

void Slice::recycle(Block* block) {
  if (block->group != nullptr) {
    block->group->take_back(*block);
  } else {
    std::free(block);
  }
}

}  // namespace ring
