#include "ring/timer_wheel.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

namespace {

using namespace std::chrono_literals;
using ring::Duration;
using ring::Instant;
using ring::Timer;
using ring::TimerWheel;

constexpr Duration tick = 8ms;
const Instant start{1000s + 3ms};

std::vector<Timer*> expire_all(TimerWheel& wheel, Instant now) {
  std::vector<Timer*> expired;
  while (Timer* const timer = wheel.expire(now)) expired.push_back(timer);
  return expired;
}

TEST_CASE("timer wheel: a timer is due within one tick after its deadline, never before") {
  for (const Duration delay :
       {Duration{0}, Duration{1}, Duration{7999999}, Duration{8ms}, Duration{8000001},
        Duration{100ms}, Duration{16s}, Duration{17s}, Duration{1h}}) {
    CAPTURE(delay.count());
    TimerWheel wheel{start};
    Timer timer;
    const Instant deadline = start + delay;
    wheel.set(timer, deadline);
    if (delay > Duration{0}) CHECK(wheel.expire(deadline - Duration{1}) == nullptr);
    CHECK(wheel.expire(deadline + tick) == &timer);
    CHECK(!timer.pending());
    CHECK(wheel.expire(deadline + tick) == nullptr);
    CHECK(!wheel.next_deadline());
  }
}

TEST_CASE("timer wheel: sleeping until next_deadline() each time finds every timer in time") {
  TimerWheel wheel{start};
  Timer timer;
  const Instant deadline = start + 100s;  // more than six turns of the wheel
  wheel.set(timer, deadline);
  Instant now = start;
  int sleeps = 0;
  Timer* found = nullptr;
  while (found == nullptr) {
    const auto next = wheel.next_deadline();
    REQUIRE(next);
    REQUIRE(*next > now);
    now = *next;
    found = wheel.expire(now);
    ++sleeps;
  }
  CHECK(now >= deadline);
  CHECK(now - deadline < tick);
  CHECK(sleeps <= 8);
}

TEST_CASE("timer wheel: the farthest deadline there is can be set") {
  TimerWheel wheel{start};
  Timer never;
  wheel.set(never, Instant::max());
  CHECK(never.pending());
  CHECK(wheel.expire(start + 24h) == nullptr);
  CHECK(wheel.next_deadline());
  TimerWheel::cancel(never);
  CHECK(!wheel.next_deadline());
}

TEST_CASE("timer wheel: a deadline long past is due at the next tick") {
  TimerWheel wheel{start};
  Timer timer;
  wheel.set(timer, Instant{});
  CHECK(wheel.expire(start + tick) == &timer);
}

TEST_CASE("timer wheel: setting while expiring is not found again in the same round") {
  // An owner that always sets its timer again, into the past even, must not make the loop spin.
  TimerWheel wheel{start};
  Timer timer;
  wheel.set(timer, start);
  const Instant now = start + 1s;
  REQUIRE(wheel.expire(now) == &timer);
  wheel.set(timer, start);
  CHECK(wheel.expire(now) == nullptr);
  CHECK(wheel.expire(now + tick) == &timer);
}

TEST_CASE("timer wheel: a timer that is due but not yet handed out can be cancelled and moved") {
  TimerWheel wheel{start};
  Timer first;
  Timer second;
  Timer third;
  wheel.set(first, start + 1ms);
  wheel.set(second, start + 2ms);
  wheel.set(third, start + 3ms);
  const Instant now = start + 1s;
  REQUIRE(wheel.expire(now) == &first);
  TimerWheel::cancel(second);
  wheel.set(third, now + 1s);
  CHECK(wheel.expire(now) == nullptr);
  CHECK(expire_all(wheel, now + 2s) == std::vector<Timer*>{&third});
}

TEST_CASE("timer wheel: a timer may die pending, and outlive its wheel") {
  Timer survivor;
  {
    TimerWheel wheel{start};
    {
      Timer short_lived;
      wheel.set(short_lived, start + 1s);
    }
    wheel.set(survivor, start + 1s);
    CHECK(expire_all(wheel, start + 500ms).empty());
  }
  CHECK(!survivor.pending());
}

TEST_CASE("timer wheel: random use agrees with a list searched from end to end") {
  // Method: the model holds deadlines; every step sets, cancels, moves or lets time pass (now and then
  // for more than a turn of the wheel). Found late by more than a tick or early is an error.
  for (unsigned seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    std::mt19937 random{seed};
    const auto below = [&](std::int64_t limit) {
      return std::uniform_int_distribution<std::int64_t>{0, limit - 1}(random);
    };
    TimerWheel wheel{start};
    std::vector<std::unique_ptr<Timer>> timers;
    for (int i = 0; i < 40; ++i) timers.push_back(std::make_unique<Timer>());
    std::vector<Instant> due_from(40);  // a deadline already past counts from when it was set
    Instant now = start;
    for (int step = 0; step < 400; ++step) {
      const auto index = static_cast<std::size_t>(below(40));
      Timer& timer = *timers[index];
      const auto action = below(10);
      if (action < 5) {
        const std::int64_t reach = below(4) == 0 ? 60'000'000'000 : 300'000'000;
        wheel.set(timer, now + Duration{below(reach) - 5'000'000});
        due_from[index] = std::max(now, timer.deadline);
      } else if (action < 6) {
        TimerWheel::cancel(timer);
      } else {
        const auto next = wheel.next_deadline();
        const bool pending =
            std::any_of(timers.begin(), timers.end(), [](const auto& t) { return t->pending(); });
        REQUIRE(next.has_value() == pending);
        // Sleep as a loop would, or be late by anything.
        now = next && below(2) == 0
                  ? std::max(now, *next)
                  : now + Duration{below(below(20) == 0 ? 40'000'000'000 : 30'000'000)};
        for (Timer* const expired : expire_all(wheel, now)) REQUIRE(expired->deadline <= now);
        for (std::size_t i = 0; i < timers.size(); ++i) {
          if (timers[i]->pending()) REQUIRE(due_from[i] + tick > now);
        }
      }
      if (const auto next = wheel.next_deadline()) {
        // Nobody sleeps past a deadline (but for the tick it is rounded up to).
        for (const auto& left : timers) {
          if (left->pending()) REQUIRE(*next < std::max(left->deadline, now) + tick + tick);
        }
      }
    }
  }
}

}  // namespace
