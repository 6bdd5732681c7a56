// Which options of an hba line are secrets: their values are never shown.
#pragma once

#include <string>
#include <string_view>

namespace pgring {

// True when a secret's value may stand on this line.
[[nodiscard]] bool names_auth_secret(std::string_view line);

// `line` up to where the first such value begins, and *** for the rest.
[[nodiscard]] std::string without_auth_secrets(std::string_view line);

}  // namespace pgring
