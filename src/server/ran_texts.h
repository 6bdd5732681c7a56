// The texts that ran on a server connection since its last audit, by fingerprint.
//
// Owner:  a Server. Hot path: add() is called for each text. Bounded: what came too late is counted only.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace pgring {

class RanTexts {
 public:
  static constexpr std::size_t kept_max = 16;

  // Once each.
  void add(std::uint64_t fingerprint) {
    const auto kept = texts();
    if (std::ranges::find(kept, fingerprint) != kept.end()) return;
    if (size_ < kept_max) {
      texts_[size_++] = fingerprint;
    } else {
      ++more_;
    }
  }
  // One that could not be read, or no text at all: a FunctionCall.
  void add_unknown() { ++more_; }
  void clear() { size_ = more_ = 0; }

  [[nodiscard]] bool empty() const { return size_ == 0 && more_ == 0; }
  [[nodiscard]] std::span<const std::uint64_t> texts() const {
    return std::span{texts_}.first(size_);
  }
  // How often one ran that is not among them.
  [[nodiscard]] std::uint32_t more() const { return more_; }

 private:
  std::array<std::uint64_t, kept_max> texts_{};
  std::uint32_t size_ = 0;
  std::uint32_t more_ = 0;
};

}  // namespace pgring
