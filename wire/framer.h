// Where messages begin and end in a stream that comes in pieces. Hot path: runs once per message.
//
// What:   walks a chunk and yields the part of each message that lies in it; bodies are never looked at and
//         never collected, so a message may be a gigabyte long or come a byte at a time. Only a header cut
//         by a chunk's end is kept (at most 4 bytes).
// Owner:  one per direction of a connection.
// Units:  bytes; sizes are 64-bit sums, header included.
// Errors: a length below four is `malformed`; limits by type are the caller's (limits.h).
// Source: protocol-overview, "Message Format": a type byte, then a 32-bit length that counts itself.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace wire {

class Framer {
 public:
  static constexpr std::uint32_t header_size = 5;

  enum class Outcome : std::uint8_t { part, need_more, malformed };

  // One message's share of a chunk: [offset, offset + length).
  struct Part {
    char type = 0;
    bool begins = false;  // the header is complete with this part: type and size are news
    bool ends = false;    // the message's last byte lies in this part
    std::uint8_t carried =
        0;  // when it begins: header bytes that came in earlier chunks (see carry())
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
    std::uint64_t size = 0;  // the whole message

    [[nodiscard]] bool whole() const { return begins && ends; }
    // Where the body's share starts in the chunk. REQUIRES: begins.
    [[nodiscard]] std::uint32_t body_offset() const { return offset + header_size - carried; }
  };

  // The next part at `position`, which moves past it. need_more: the chunk is used up.
  [[nodiscard]] Outcome next(std::span<const std::byte> chunk, std::uint32_t& position, Part& part);

  // Puts a part back that begins a message: a chunk that starts at part.offset will yield it again.
  void unread(const Part& part);

  // The header bytes kept from earlier chunks; of use while a part with carried > 0 is handled.
  [[nodiscard]] std::span<const std::byte> carry() const { return {carry_.data(), carry_size_}; }
  [[nodiscard]] std::span<const std::byte> carried(const Part& part) const {
    return {carry_.data(), part.carried};
  }

  // Between two messages, with nothing kept.
  [[nodiscard]] bool at_boundary() const { return remaining_ == 0 && carry_size_ == 0; }
  [[nodiscard]] bool inside_body() const { return remaining_ > 0; }

 private:
  std::uint64_t remaining_ = 0;  // of the present message's body
  std::uint64_t size_ = 0;
  std::array<std::byte, header_size> carry_{};
  std::uint8_t carry_size_ = 0;
  char type_ = 0;
};

}  // namespace wire
