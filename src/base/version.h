// The version of this build, from meson.build's project().
#pragma once

#include <string_view>

namespace pgring {
[[nodiscard]] std::string_view version();  // "0.1.0"
}  // namespace pgring
