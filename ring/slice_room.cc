#include "ring/slice_room.h"

#include <algorithm>

#include "ring/check.h"

namespace ring {

std::span<std::byte> SliceRoom::reserve(std::uint32_t at_least) {
  if (block_.is_only_share()) used_ = 0;
  if (block_.size() - used_ < at_least) {
    block_ = Slice::of_size(std::max(block_size_, at_least));
    used_ = 0;
  }
  // Nobody has a share of these bytes.
  return {const_cast<std::byte*>(block_.data_) + used_, block_.size() - used_};
}

Slice SliceRoom::take(std::uint32_t size) {
  RING_CHECK(size <= block_.size() - used_);
  Slice taken = block_.share(used_, size);
  used_ += size;
  return taken;
}

}  // namespace ring
