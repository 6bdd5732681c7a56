// Bytes that tell where they come from: every stream of a test writes its own endless pattern, so that a
// byte lost, doubled or from another stream shows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "ring/slice.h"

namespace ring_test {

inline std::string pattern(std::uint64_t seed, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::uint64_t position = offset + i;
    if (i == 0 || position % 8 == 0) {
      word = (position / 8 + 1) * 0x9e3779b97f4a7c15ULL ^ seed * 0xbf58476d1ce4e5b9ULL;
      word = (word ^ word >> 29) * 0x94d049bb133111ebULL;
      word ^= word >> 32;
    }
    bytes[i] = static_cast<char>(word >> (position % 8 * 8));
  }
  return bytes;
}

inline std::string_view text_of(const ring::Slice& slice) {
  return {reinterpret_cast<const char*>(slice.bytes().data()), slice.size()};
}

}  // namespace ring_test
