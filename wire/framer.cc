#include "wire/framer.h"

#include <algorithm>

namespace wire {
namespace {

std::uint32_t load_be32(const std::byte* bytes) {
  return std::to_integer<std::uint32_t>(bytes[0]) << 24 |
         std::to_integer<std::uint32_t>(bytes[1]) << 16 |
         std::to_integer<std::uint32_t>(bytes[2]) << 8 | std::to_integer<std::uint32_t>(bytes[3]);
}

}  // namespace

Framer::Outcome Framer::next(std::span<const std::byte> chunk, std::uint32_t& position,
                             Part& part) {
  const auto available = static_cast<std::uint32_t>(chunk.size()) - position;
  if (available == 0) return Outcome::need_more;
  part = {.type = type_, .offset = position, .size = size_};

  if (remaining_ > 0) {
    part.length = static_cast<std::uint32_t>(std::min<std::uint64_t>(remaining_, available));
    remaining_ -= part.length;
    position += part.length;
    part.ends = remaining_ == 0;
    return Outcome::part;
  }

  const std::byte* header = chunk.data() + position;
  const std::uint32_t missing = header_size - carry_size_;
  if (available < missing) {
    std::copy_n(header, available, carry_.begin() + carry_size_);
    carry_size_ = static_cast<std::uint8_t>(carry_size_ + available);
    position += available;
    return Outcome::need_more;
  }
  if (carry_size_ > 0) {
    std::copy_n(header, missing, carry_.begin() + carry_size_);
    header = carry_.data();
  }
  const std::uint32_t length = load_be32(header + 1);
  if (length < 4) return Outcome::malformed;

  type_ = static_cast<char>(header[0]);
  size_ = std::uint64_t{1} + length;
  const std::uint64_t body = size_ - header_size;
  const std::uint64_t body_here = std::min<std::uint64_t>(body, available - missing);
  part.type = type_;
  part.size = size_;
  part.begins = true;
  part.carried = carry_size_;
  part.length = missing + static_cast<std::uint32_t>(body_here);
  remaining_ = body - body_here;
  part.ends = remaining_ == 0;
  position += part.length;
  carry_size_ = 0;
  return Outcome::part;
}

void Framer::unread(const Part& part) {
  // The carried bytes still stand in carry_: next() overwrites it only behind them.
  carry_size_ = part.carried;
  remaining_ = 0;
}

}  // namespace wire
