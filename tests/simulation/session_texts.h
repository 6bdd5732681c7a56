// What a SimSession makes of SQL texts: those of the clients are in small letters, pgring's own as it writes them.
#pragma once

#include <string_view>

namespace sim {

// One with a dot, which nobody has declared.
[[nodiscard]] bool is_custom(std::string_view name);
[[nodiscard]] bool ends_transaction(std::string_view text);
// Any other text is a syntax error.
[[nodiscard]] bool is_understood(std::string_view text);

}  // namespace sim
