// Who failed to log in lately, by address and by role: so that guessing is slow.
//
// What:   the first failures cost nothing (people mistype), then each doubles the delay up to a limit. A refusal
//         waits for the longer delay of its address and its role. A login that has not been checked yet waits for
//         the shorter one, so that parallel guesses, given up when no answer comes at once, win nothing:
//         that is long only for one who failed from there and as that role. Neither an attacker elsewhere nor
//         another role's broken program on the same host delays a good login.
// Owner:  Shared; any thread, at logins only.
// Units:  failures are forgotten one by one, each after forget_after.
// Limits: 4096 addresses and 4096 roles; who has failed least makes room. IPv6 addresses count by their /64,
//         which is one customer's, clients of the Unix socket as one address.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include "ring/clock.h"
#include "src/auth/ip_address.h"

namespace pgring {

class FailedLogins {
 public:
  // `seed` is random: who fails cannot choose whom it pushes out.
  explicit FailedLogins(std::uint64_t seed);

  struct Who {
    std::optional<IpAddress> address;  // none: the Unix socket
    std::string_view role;
  };
  [[nodiscard]] ring::Duration delay_of_check(const Who& who, ring::Instant now,
                                              ring::Duration longest) const;
  // Counts one more failure.
  [[nodiscard]] ring::Duration delay_of_refusal(const Who& who, ring::Instant now,
                                                ring::Duration longest);

  static constexpr int free_failures = 3;
  static constexpr ring::Duration first_delay = std::chrono::milliseconds{100};
  static constexpr ring::Duration forget_after = std::chrono::seconds{5};

 private:
  struct Place {
    std::uint64_t key = 0;
    ring::Instant forgotten{};  // when the last failure is; the number of them follows from it
  };
  static constexpr std::size_t ways = 4;
  static constexpr std::size_t buckets = 1024;
  using Table = std::array<std::array<Place, ways>, buckets>;

  [[nodiscard]] std::uint64_t key_of(std::string_view bytes) const;
  [[nodiscard]] std::uint64_t key_of(const std::optional<IpAddress>& address) const;
  [[nodiscard]] static ring::Duration debt(const Table& table, std::uint64_t key,
                                           ring::Instant now);
  static ring::Duration add(Table& table, std::uint64_t key, ring::Instant now);
  [[nodiscard]] static ring::Duration delay(ring::Duration debt, ring::Duration longest);

  struct Tables {
    Table addresses, roles;
  };
  std::uint64_t seed_;
  mutable std::mutex mutex_;
  std::unique_ptr<Tables> tables_;
};

}  // namespace pgring
