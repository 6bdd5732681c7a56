// "Did you mean …": the known word nearest to what was written.
//
// What:   optimal string alignment distance (insert, delete, replace, swap of neighbours), letter
//         case ignored. Cold code: runs once per error message.
// Errors: none; no word near enough gives an empty view.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace pgring {

[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `known` within a third of the word's length (at least one edit), or "".
[[nodiscard]] std::string_view near_match(std::string_view word,
                                          std::span<const std::string_view> known);

}  // namespace pgring
