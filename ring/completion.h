// A completion as the kernel posts it, and the 64 bits by which it names its operation.
//
// user_data is operation:8 | generation:24 | slot:32. A slot is an index into the loop's table; its
// generation changes whenever the slot is given to somebody else, so a late completion of a closed
// socket is recognised and only its buffer is taken back.
// Source: io_uring_enter(2), struct io_uring_cqe.
#pragma once

#include <cstdint>

namespace ring {

enum class Operation : std::uint8_t {
  none,
  accept,
  connect,
  receive,
  send,
  cancel,  // its completion says nothing: what it cancels reports for itself
  stop,    // a cancel of a stream's receive that the stream waits for
  wake,
};

struct UserData {
  Operation operation = Operation::none;
  std::uint32_t generation = 0;  // 24 bits
  std::uint32_t slot = 0;

  [[nodiscard]] constexpr std::uint64_t pack() const {
    return std::uint64_t{static_cast<std::uint8_t>(operation)} << 56 |
           std::uint64_t{generation & 0xffffffU} << 32 | slot;
  }
  [[nodiscard]] static constexpr UserData unpack(std::uint64_t packed) {
    return {static_cast<Operation>(packed >> 56),
            static_cast<std::uint32_t>(packed >> 32) & 0xffffffU,
            static_cast<std::uint32_t>(packed)};
  }
};

struct Completion {
  static constexpr std::uint32_t flag_buffer = 1U << 0;  // IORING_CQE_F_BUFFER
  static constexpr std::uint32_t flag_more = 1U << 1;    // IORING_CQE_F_MORE

  std::uint64_t user_data = 0;
  std::int32_t result = 0;  // bytes, a descriptor, or -errno
  std::uint32_t flags = 0;

  [[nodiscard]] bool more() const { return (flags & flag_more) != 0; }
  [[nodiscard]] bool has_buffer() const { return (flags & flag_buffer) != 0; }
  [[nodiscard]] std::uint16_t buffer_id() const { return static_cast<std::uint16_t>(flags >> 16); }
};

}  // namespace ring
