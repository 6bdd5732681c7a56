// Bytes somebody received or wrote, shared inside one thread. Hot path: moved once per message.
//
// What:   a range of bytes and a share in the block that holds them: a provided buffer (given back to its
//         group when the last share goes), memory of our own (freed), or static text (nothing to free).
// Owner:  move-only; share() makes another share on purpose. Counts are plain integers: a slice never
//         leaves its thread.
// Units:  bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

namespace ring {

class BufferGroup;

// One holder of bytes. Those of a group stand in the group's array; an owned one heads its allocation.
struct Block {
  std::uint32_t shares = 0;
  std::uint16_t id = 0;
  BufferGroup* group = nullptr;  // nothing: owned memory
};

class Slice {
 public:
  Slice() = default;
  Slice(Slice&& other) noexcept
      : data_{std::exchange(other.data_, nullptr)},
        size_{std::exchange(other.size_, 0)},
        block_{std::exchange(other.block_, nullptr)} {}
  Slice& operator=(Slice&& other) noexcept {
    if (this != &other) {
      release();
      data_ = std::exchange(other.data_, nullptr);
      size_ = std::exchange(other.size_, 0);
      block_ = std::exchange(other.block_, nullptr);
    }
    return *this;
  }
  Slice(const Slice&) = delete;
  Slice& operator=(const Slice&) = delete;
  ~Slice() { release(); }

  // Takes over one share that the caller holds in `block`.
  static Slice adopt(const std::byte* data, std::uint32_t size, Block* block) {
    return Slice{data, size, block};
  }
  // So many bytes of its own, not set.
  static Slice of_size(std::uint32_t size);
  // Text that lives as long as the program.
  static Slice of_static(std::string_view text) {
    return Slice{reinterpret_cast<const std::byte*>(text.data()),
                 static_cast<std::uint32_t>(text.size()), nullptr};
  }
  // A copy in memory of its own.
  static Slice copy_of(std::span<const std::byte> bytes);
  static Slice copy_of(std::string_view text) { return copy_of(std::as_bytes(std::span{text})); }

  [[nodiscard]] std::span<const std::byte> bytes() const { return {data_, size_}; }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // What came may be replaced by what it means, as long as nobody else has a share. REQUIRES: is_only_share().
  [[nodiscard]] std::span<std::byte> writable();
  [[nodiscard]] bool is_only_share() const { return block_ != nullptr && block_->shares == 1; }
  [[nodiscard]] bool holds_buffer() const { return block_ != nullptr && block_->group != nullptr; }

  // REQUIRES: offset + size <= this->size().
  [[nodiscard]] Slice share(std::uint32_t offset, std::uint32_t size) const {
    if (block_ != nullptr) ++block_->shares;
    return Slice{data_ + offset, size, block_};
  }
  void drop_front(std::uint32_t count) {
    data_ += count;
    size_ -= count;
  }
  // `next` follows this slice in the same block: one range instead of two.
  [[nodiscard]] bool continues_with(const Slice& next) const {
    return block_ != nullptr && block_ == next.block_ && data_ + size_ == next.data_;
  }
  // REQUIRES: continues_with(next). Takes over its bytes; its share goes.
  void append(Slice next) { size_ += next.size_; }

 private:
  friend class SliceRoom;
  Slice(const std::byte* data, std::uint32_t size, Block* block)
      : data_{data}, size_{size}, block_{block} {}
  void release() {
    if (block_ != nullptr && --block_->shares == 0) recycle(block_);
  }
  static void recycle(Block* block);

  const std::byte* data_ = nullptr;
  std::uint32_t size_ = 0;
  Block* block_ = nullptr;
};

}  // namespace ring
