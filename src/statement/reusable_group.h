// A group of the extended protocol whose Parse may be answered without PostgreSQL, if the rest is what its Parse is for.
//
// What:   the group is here as a whole, is the last its client has sent, and begins with its only Parse; all that
//         follows is about that statement, first of all a Bind or Describe of it. So if PostgreSQL finds that the
//         statement is not what it was, nothing has been done yet, and the group can be sent again as it came.
// Source: protocol-flow, "Extended Query".
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace pgring {

// Longer ones are sent as they are; they are kept until the first answer.
inline constexpr std::size_t reusable_group_max = std::size_t{16} * 1024;

struct ReusableGroup {
  std::uint32_t binds = 0;
};
// `rest` is what has been received behind the Parse of `name`. Nothing: it is another kind of group.
[[nodiscard]] std::optional<ReusableGroup> read_reusable_group(std::span<const std::byte> rest,
                                                               std::string_view name);

}  // namespace pgring
