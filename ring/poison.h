// Tells AddressSanitizer which buffers are not ours to read (the kernel's, or nobody's). It does not see
// the kernel write; without it a use after give-back would go unnoticed. Nothing in other builds.
#pragma once

#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RING_ADDRESS_SANITIZER 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) && !defined(RING_ADDRESS_SANITIZER)
#define RING_ADDRESS_SANITIZER 1
#endif

#ifdef RING_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#endif

namespace ring {

inline void poison([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t size) {
#ifdef RING_ADDRESS_SANITIZER
  __asan_poison_memory_region(memory, size);
#endif
}

inline void unpoison([[maybe_unused]] const void* memory, [[maybe_unused]] std::size_t size) {
#ifdef RING_ADDRESS_SANITIZER
  __asan_unpoison_memory_region(memory, size);
#endif
}

}  // namespace ring
