#include "src/server/pin_reason.h"

#include <algorithm>

namespace pgring {
namespace {

// In the order of PinReason. They stand in SQL between quotes.
constexpr std::array<std::string_view, pin_reason_count> names{"advisory lock",
                                                               "temporary object",
                                                               "cursor WITH HOLD",
                                                               "LISTEN",
                                                               "PREPARE",
                                                               "temporary replication slot",
                                                               "state until the session ends"};

}  // namespace

std::string_view name_of(PinReason reason) { return names[static_cast<std::size_t>(reason)]; }

std::optional<PinReason> pin_reason(std::string_view name) {
  const auto at = std::ranges::find(names, name);
  if (at == names.end()) return std::nullopt;
  return static_cast<PinReason>(at - names.begin());
}

std::string PinReasons::text() const {
  std::string text;
  for (std::size_t i = 0; i < pin_reason_count; ++i) {
    if (!has(static_cast<PinReason>(i))) continue;
    if (!text.empty()) text += ", ";
    text += names[i];
  }
  return text;
}

void PinCounts::add(PinReasons reasons) {
  for (std::size_t i = 0; i < pin_reason_count; ++i) {
    if (reasons.has(static_cast<PinReason>(i))) ++by_reason[i];
  }
}

PinCounts& PinCounts::operator+=(const PinCounts& other) {
  pins += other.pins;
  for (std::size_t i = 0; i < pin_reason_count; ++i) by_reason[i] += other.by_reason[i];
  return *this;
}

}  // namespace pgring
