// Room that slices are cut from, one behind the other, for bytes that are made here and not received.
//
// What:   reserve() gives memory, take() what of it was written. Small slices share a block, so that none holds a
//         whole one by itself; a block of which nobody has a share any more is used again from its beginning.
// Owner:  one thread. Slices outlive the room: the last share frees its block.
// Units:  bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "ring/slice.h"

namespace ring {

class SliceRoom {
 public:
  explicit SliceRoom(std::uint32_t block_size) : block_size_{block_size} {}

  // To be written to until the next call; at least so much. Blocks are as large as asked for if that is more.
  [[nodiscard]] std::span<std::byte> reserve(std::uint32_t at_least);
  // The first bytes of it. REQUIRES: size <= what was reserved and not taken.
  [[nodiscard]] Slice take(std::uint32_t size);

 private:
  Slice block_;
  std::uint32_t block_size_;
  std::uint32_t used_ = 0;
};

}  // namespace ring
