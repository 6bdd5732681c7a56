// random.h: random bytes fit for salts, nonces and cancel keys.
#ifndef WIRE_RANDOM_H_
#define WIRE_RANDOM_H_

#include <cstddef>
#include <span>

namespace wire {

// False: the generator has no entropy; `out` must not be used.
[[nodiscard]] bool fill_random(std::span<std::byte> out) noexcept;

}  // namespace wire

#endif  // WIRE_RANDOM_H_
