#include "wire/random.h"

#include <openssl/rand.h>

#include <limits>

namespace wire {

bool fill_random(std::span<std::byte> out) noexcept {
  if (out.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return false;
  return RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size())) ==
         1;
}

}  // namespace wire
