// byte_reader.h: a bounds-checked, big-endian cursor over the bytes of one message.
//
// Owner:  a local variable of a parser; no thread of its own.
// Life:   borrows the bytes; every view it returns lives as long as they do.
// Errors: sticky. After the first read that does not fit, ok() is false, remaining() is 0 and
//         every further read yields zero, an empty span or nullopt; so a parser may read a whole
//         message and ask ok() or at_end() once.
#ifndef WIRE_BYTE_READER_H_
#define WIRE_BYTE_READER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace wire {

[[nodiscard]] std::string_view as_text(std::span<const std::byte> bytes) noexcept;
[[nodiscard]] std::span<const std::byte> as_bytes(std::string_view text) noexcept;

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) noexcept : rest_(bytes) {}
  explicit ByteReader(std::string_view bytes) noexcept : rest_(as_bytes(bytes)) {}

  [[nodiscard]] std::uint8_t read_u8() noexcept;
  [[nodiscard]] std::uint16_t read_u16() noexcept;
  [[nodiscard]] std::uint32_t read_u32() noexcept;
  // Up to the next zero byte, which is consumed and not part of the result.
  [[nodiscard]] std::optional<std::string_view> read_cstring() noexcept;
  [[nodiscard]] std::span<const std::byte> read_bytes(std::size_t size) noexcept;

  [[nodiscard]] std::size_t remaining() const noexcept { return rest_.size(); }
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  // Nothing failed and nothing is left: the message was exactly what was read.
  [[nodiscard]] bool at_end() const noexcept { return ok_ && rest_.empty(); }

 private:
  [[nodiscard]] std::uint32_t read_big_endian(std::size_t size) noexcept;
  void fail() noexcept;

  std::span<const std::byte> rest_;
  bool ok_ = true;
};

}  // namespace wire

#endif  // WIRE_BYTE_READER_H_
