// What the streams and timers of a shard belong to: the tags its dispatch switches on.
#pragma once

#include <cstdint>

namespace pgring {

namespace stream_role {
inline constexpr std::uint8_t client = 1;
inline constexpr std::uint8_t server = 2;
inline constexpr std::uint8_t cancel = 3;  // a connection to a server that carries a CancelRequest
inline constexpr std::uint8_t walsender = 4;
}  // namespace stream_role

namespace timer_kind {  // 0 is the loop's own
inline constexpr std::uint32_t client = 1;
inline constexpr std::uint32_t server = 2;
inline constexpr std::uint32_t cancel = 3;
inline constexpr std::uint32_t pool_waiters = 4;
inline constexpr std::uint32_t maintenance = 5;
inline constexpr std::uint32_t console = 6;    // a command that waits
inline constexpr std::uint32_t pool_seek = 7;  // a pool that is short of connections
inline constexpr std::uint32_t walsender = 8;
inline constexpr std::uint32_t server_share = 10;  // the first of several groups takes long
inline constexpr std::uint32_t pool_rest = 9;      // connections that nobody uses
inline constexpr std::uint32_t client_hold = 20;   // a login that is slowed
}  // namespace timer_kind

namespace buffer_group {
inline constexpr std::uint16_t client = 0;
inline constexpr std::uint16_t server = 1;
}  // namespace buffer_group

// Back-pressure, in bytes and ranges queued for one socket. Above `high` the other side is not read from;
// below `low` it is again. A credit is how much may still come after that (Stream).
namespace flow {
inline constexpr std::uint32_t client_credit = 64 * 1024;
inline constexpr std::uint32_t server_credit = 256 * 1024;
inline constexpr std::size_t high_bytes = std::size_t{256} * 1024;
inline constexpr std::size_t low_bytes = std::size_t{64} * 1024;
inline constexpr std::uint32_t high_ranges = 32;
inline constexpr std::uint32_t low_ranges = 8;
}  // namespace flow

}  // namespace pgring
