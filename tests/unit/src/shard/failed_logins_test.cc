// Failed logins are slowed: by address and by role, for a while, with bounded memory.
#include "src/shard/failed_logins.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace pgring;
using namespace std::chrono_literals;

namespace {

constexpr ring::Duration longest = 5s;

IpAddress address(const std::string& text) {
  const auto parsed = IpAddress::parse(text);
  REQUIRE((parsed && *parsed));
  return **parsed;
}

// The delays of `count` failures in a row.
std::vector<ring::Duration> fail(FailedLogins& failed, const FailedLogins::Who& who,
                                 ring::Instant now, int count) {
  std::vector<ring::Duration> delays;
  for (int i = 0; i < count; ++i) delays.push_back(failed.delay_of_refusal(who, now, longest));
  return delays;
}

}  // namespace

TEST_CASE("failed logins: the first cost nothing, then the delay doubles up to the limit") {
  FailedLogins failed{7};
  const ring::Instant now{};
  const auto delays = fail(failed, {address("10.0.0.1"), "app"}, now, 12);
  const std::vector<ring::Duration> wanted{0ms,   0ms,    0ms,    100ms, 200ms, 400ms,
                                           800ms, 1600ms, 3200ms, 5s,    5s,    5s};
  CHECK(delays == wanted);
}

TEST_CASE("failed logins: a limit of zero is no delay") {
  FailedLogins failed{7};
  const ring::Instant now{};
  for (int i = 0; i < 30; ++i)
    CHECK(failed.delay_of_refusal({address("10.0.0.1"), "app"}, now, 0s) == 0s);
  CHECK(failed.delay_of_check({address("10.0.0.1"), "app"}, now, 0s) == 0s);
}

TEST_CASE("failed logins: refusals are delayed by address and by role, checks by both together") {
  FailedLogins failed{7};
  const ring::Instant now{};
  const FailedLogins::Who guesser{address("10.0.0.1"), "app"};
  const FailedLogins::Who neighbour{address("10.0.0.1"), "other"};
  const FailedLogins::Who owner{address("10.0.0.2"), "app"};
  (void)fail(failed, guesser, now, 10);
  CHECK(failed.delay_of_check(guesser, now, longest) == longest);
  CHECK(failed.delay_of_check(neighbour, now, longest) == 0s);
  CHECK(failed.delay_of_check(owner, now, longest) == 0s);
  CHECK(failed.delay_of_refusal(neighbour, now, longest) == longest);
  CHECK(failed.delay_of_refusal(owner, now, longest) == longest);
}

TEST_CASE("failed logins: they are forgotten one by one, all in bounded time") {
  FailedLogins failed{7};
  ring::Instant now{};
  const FailedLogins::Who who{address("10.0.0.1"), "app"};
  (void)fail(failed, who, now, 1000);
  CHECK(failed.delay_of_check(who, now, longest) == longest);
  now += 90s;
  CHECK(failed.delay_of_check(who, now, longest) == 0s);
  CHECK(fail(failed, who, now, 2) == std::vector<ring::Duration>{0ms, 100ms});
  now += 10min;
  CHECK(fail(failed, who, now, 4) == std::vector<ring::Duration>{0ms, 0ms, 0ms, 100ms});
}

TEST_CASE("failed logins: IPv6 counts by its /64, IPv4 in IPv6 clothes as IPv4, sockets as one") {
  FailedLogins failed{7};
  const ring::Instant now{};
  const auto slowed = [&](const FailedLogins::Who& who) {
    return failed.delay_of_check(who, now, longest) > 0s;
  };
  (void)fail(failed, {address("2001:db8::1"), "six"}, now, 10);
  CHECK(slowed({address("2001:db8::ffff:1"), "six"}));
  CHECK_FALSE(slowed({address("2001:db8:0:1::1"), "six"}));
  (void)fail(failed, {address("::ffff:10.0.0.1"), "four"}, now, 10);
  CHECK(slowed({address("10.0.0.1"), "four"}));
  (void)fail(failed, {std::nullopt, "local"}, now, 10);
  CHECK(slowed({std::nullopt, "local"}));
}

TEST_CASE("failed logins: a flood of other addresses and roles does not push out the worst") {
  FailedLogins failed{7};
  const ring::Instant now{};
  const FailedLogins::Who worst{address("10.0.0.1"), "app"};
  (void)fail(failed, worst, now, 10);
  for (std::uint32_t i = 0; i < 200'000; ++i) {
    const IpAddress other =
        IpAddress::v4({11, static_cast<std::uint8_t>(i >> 16), static_cast<std::uint8_t>(i >> 8),
                       static_cast<std::uint8_t>(i)});
    (void)failed.delay_of_refusal({other, "role" + std::to_string(i)}, now, longest);
  }
  CHECK(failed.delay_of_check(worst, now, longest) == longest);
}
