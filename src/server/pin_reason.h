// Why a client keeps its server connection beyond its transactions.
//
// What:   the reasons by name, sets of them, and how often they came up.
// Names:  those of the audit's rows, of SHOW PINS and SHOW PINS_TOTALS, and of docs/operations.md: one table.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace pgring {

enum class PinReason : std::uint8_t {
  advisory_lock,
  temporary_object,
  held_cursor,
  listen,
  sql_prepare,
  replication_slot,
  forever,  // what nothing shows (LOAD, setseed …): until the session ends
};
inline constexpr std::size_t pin_reason_count = static_cast<std::size_t>(PinReason::forever) + 1;

[[nodiscard]] std::string_view name_of(PinReason reason);
// Nothing: no reason has this name.
[[nodiscard]] std::optional<PinReason> pin_reason(std::string_view name);

// A set. Empty: not pinned.
class PinReasons {
 public:
  constexpr PinReasons() = default;
  constexpr PinReasons(std::initializer_list<PinReason> reasons) {
    for (const PinReason reason : reasons) put(reason);
  }

  constexpr void put(PinReason reason) { bits_ |= bit(reason); }
  constexpr void put(PinReasons others) { bits_ |= others.bits_; }
  constexpr void clear() { bits_ = 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  [[nodiscard]] constexpr bool has(PinReason reason) const { return (bits_ & bit(reason)) != 0; }
  [[nodiscard]] constexpr PinReasons without(PinReasons others) const {
    PinReasons left = *this;
    left.bits_ &= ~others.bits_;
    return left;
  }
  // Their names, "LISTEN, PREPARE".
  [[nodiscard]] std::string text() const;

  friend bool operator==(PinReasons, PinReasons) = default;

 private:
  [[nodiscard]] static constexpr std::uint32_t bit(PinReason reason) {
    return 1U << static_cast<unsigned>(reason);
  }

  std::uint32_t bits_ = 0;
};

// How many pins there are, or were: one may have several reasons.
struct PinCounts {
  std::uint64_t pins = 0;
  std::array<std::uint64_t, pin_reason_count> by_reason{};

  [[nodiscard]] std::uint64_t of(PinReason reason) const {
    return by_reason[static_cast<std::size_t>(reason)];
  }
  // Reasons of a pin, not counted for it before.
  void add(PinReasons reasons);
  PinCounts& operator+=(const PinCounts& other);
};

}  // namespace pgring
