// What the config tests share: a sound base configuration and the printed diagnostics.
#pragma once

#include <doctest/doctest.h>

#include <string>
#include <string_view>

#include "src/config/config_load.h"

namespace config_test {

inline constexpr std::string_view good_tail =
    "[server.main]\nhost = \"/run/postgresql\"\n[database.app]\n";

inline std::string print(const pgring::Diagnostics& diagnostics) {
  std::string text;
  for (const auto& d : diagnostics) text += to_string(d) + "\n";
  return text;
}

// All errors of `text` printed; fails the test if there are none.
inline std::string errors_of(std::string_view text) {
  const auto result = pgring::parse_config(text, "f.toml");
  REQUIRE_FALSE(result);
  return print(result.error().errors);
}

// The only error of `text`, printed.
inline std::string only_error(std::string_view text) {
  const auto result = pgring::parse_config(text, "f.toml");
  REQUIRE_FALSE(result);
  CAPTURE(print(result.error().errors));
  REQUIRE(result.error().errors.size() == 1);
  return to_string(result.error().errors.front());
}

// The only error of a section put before a sound rest.
inline std::string error_in(std::string_view section) {
  return only_error(std::string(section) + "\n" + std::string(good_tail));
}

inline pgring::LoadedConfig good(std::string_view text) {
  auto result = pgring::parse_config(text, "f.toml");
  if (!result) FAIL(print(result.error().errors));
  return std::move(result).value();
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace config_test
