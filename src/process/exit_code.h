// What pgring's exit codes mean; systemd's RestartPreventExitStatus= counts on them.
#pragma once

namespace pgring {
inline constexpr int exit_ok = 0;
inline constexpr int exit_failure = 1;       // anything not named below, wrong usage included
inline constexpr int exit_unavailable = 69;  // EX_UNAVAILABLE: this kernel gives no io_uring
inline constexpr int exit_config = 78;  // EX_CONFIG: bad configuration, or limits too low for it
}  // namespace pgring
