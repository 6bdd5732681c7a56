#include "src/base/secret.h"

#include <string.h>  // explicit_bzero

#include <algorithm>
#include <utility>

namespace pgring {

Secret::Secret(std::string_view text) : size_(text.size()) {
  if (text.empty()) return;
  bytes_ = std::make_unique_for_overwrite<char[]>(text.size());
  std::copy(text.begin(), text.end(), bytes_.get());
}

Secret::Secret(Secret&& other) noexcept
    : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  wipe();
  bytes_ = std::move(other.bytes_);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

bool Secret::equals(std::string_view other) const {
  if (other.size() != size_) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    difference |= static_cast<unsigned>(static_cast<unsigned char>(bytes_[i])) ^
                  static_cast<unsigned>(static_cast<unsigned char>(other[i]));
  }
  return difference == 0;
}

void Secret::wipe() {
  if (bytes_ != nullptr) explicit_bzero(bytes_.get(), size_);
  size_ = 0;
}

}  // namespace pgring
