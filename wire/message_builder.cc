#include "wire/message_builder.h"

#include <limits>
#include <utility>

#include "wire/byte_reader.h"
#include "wire/check.h"

namespace wire {
namespace {

constexpr std::size_t length_size = 4;

void store_u32(char* at, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) *at++ = static_cast<char>((value >> shift) & 0xff);
}

}  // namespace

void MessageBuilder::begin(char type) {
  WIRE_CHECK(!length_at_, type);
  message_start_ = out_.size();
  out_.push_back(type);
  length_at_ = out_.size();
  out_.append(length_size, '\0');
}

void MessageBuilder::begin_untyped() {
  WIRE_CHECK(!length_at_);
  message_start_ = out_.size();
  length_at_ = message_start_;
  out_.append(length_size, '\0');
}

void MessageBuilder::put_u8(std::uint8_t value) {
  WIRE_CHECK(length_at_.has_value());
  out_.push_back(static_cast<char>(value));
}

void MessageBuilder::put_u16(std::uint16_t value) {
  put_u8(static_cast<std::uint8_t>(value >> 8));
  put_u8(static_cast<std::uint8_t>(value & 0xff));
}

void MessageBuilder::put_u32(std::uint32_t value) {
  put_u16(static_cast<std::uint16_t>(value >> 16));
  put_u16(static_cast<std::uint16_t>(value & 0xffff));
}

void MessageBuilder::put_cstring(std::string_view text) {
  put_bytes(text.substr(0, text.find('\0')));
  put_u8(0);
}

void MessageBuilder::put_bytes(std::string_view bytes) {
  WIRE_CHECK(length_at_.has_value());
  out_.append(bytes);
}

void MessageBuilder::put_bytes(std::span<const std::byte> bytes) { put_bytes(as_text(bytes)); }

bool MessageBuilder::end() {
  WIRE_CHECK(length_at_.has_value());
  const std::size_t at = *length_at_;
  length_at_.reset();
  const std::uint64_t length = std::uint64_t{out_.size()} - at;
  if (length > std::uint64_t{std::numeric_limits<std::int32_t>::max()}) {
    out_.resize(message_start_);
    return false;
  }
  store_u32(out_.data() + at, static_cast<std::uint32_t>(length));
  return true;
}

std::string MessageBuilder::take() {
  WIRE_CHECK(!length_at_);
  return std::exchange(out_, {});
}

std::string_view MessageBuilder::view() const {
  WIRE_CHECK(!length_at_);
  return out_;
}

}  // namespace wire
