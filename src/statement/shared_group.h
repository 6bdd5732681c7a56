// A whole request of a client that may be in flight on a server connection together with others': read, not judged.
//
// What:   a Query, or a group of the extended protocol that executes one statement once and to its end: an unnamed Parse or
//         none, a Bind to the unnamed portal, perhaps a Describe, an Execute without a limit, and its Sync. It is
//         all here, and the last the client has sent; so it can be sent again as it came.
// Source: protocol-flow, "Simple Query", "Extended Query"; CORRECTNESS.md 12 in words: docs/architecture.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace pgring {

// Longer ones are not kept until they are answered. In bytes.
inline constexpr std::size_t shared_group_max = std::size_t{16} * 1024;

struct SharedGroup {
  bool is_query = false;
  // Of the Query or the Parse; null data: the group has none, and binds `statement`.
  std::string_view text = {};
  std::string_view statement = {};  // of the client's names; "": the unnamed one
};
// `rest` is what has been received, from the beginning of a message. Nothing: it is something else. Views are into it.
[[nodiscard]] std::optional<SharedGroup> read_shared_group(std::span<const std::byte> rest);

}  // namespace pgring
