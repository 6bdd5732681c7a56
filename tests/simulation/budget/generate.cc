#include <algorithm>

#include "tests/simulation/budget/script.h"
#include "tests/simulation/random.h"

namespace sim::budget {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Generator {
 public:
  Generator(std::uint64_t seed, Mode mode) : random_{seed}, mode_{mode} {
    script_.setup.seed = seed;
  }

  Script make() {
    setup();
    pools();
    const auto clients = mode_ == Mode::overload ? 0 : random_.between(3, 60);
    for (std::uint64_t i = 0; i < clients; ++i) client();
    if (mode_ == Mode::overload) overload();
    const auto faults = random_.between(0, mode_ == Mode::overload ? 4 : 24);
    for (std::uint64_t i = 0; i < faults; ++i) fault();
    std::ranges::sort(script_.events, {}, &Event::at);
    return std::move(script_);
  }

 private:
  Duration between(Duration first, Duration last) {
    return Duration{static_cast<std::int64_t>(random_.between(
        static_cast<std::uint64_t>(first.count()), static_cast<std::uint64_t>(last.count())))};
  }
  std::uint32_t number(std::uint64_t first, std::uint64_t last) {
    return static_cast<std::uint32_t>(random_.between(first, last));
  }
  Instant moment() { return Instant{between(Duration{1}, length_)}; }
  std::optional<pgring::Count> maybe(unsigned permille, std::uint64_t first, std::uint64_t last) {
    if (!random_.chance(permille)) return std::nullopt;
    return number(first, last);
  }

  void setup() {
    Setup& setup = script_.setup;
    setup.shards = number(1, 4);
    setup.network = between(microseconds{20}, milliseconds{2});
    setup.login = between(milliseconds{1}, milliseconds{50});
    setup.closing = random_.chance(300) ? between(milliseconds{1}, seconds{2})
                                        : between(microseconds{100}, milliseconds{5});
    if (mode_ != Mode::exact) {
      setup.mail = between(microseconds{10}, milliseconds{1});
      setup.quiesce = between(microseconds{10}, microseconds{300});
      setup.order_slack = milliseconds{2};
      setup.rested = milliseconds{1};
    }
    setup.superuser_reserved = number(0, 3);
    setup.reserved = random_.chance(200) ? number(1, 2) : 0;
    setup.max_connections = number(6, 30) + setup.superuser_reserved + setup.reserved;
    // Slots for at least one connection of ours.
    setup.servers["main"] = {.max_connections = maybe(200, 1, 20), .keep_free = number(0, 3)};
    if (random_.chance(200))
      setup.servers["other name"] = {.max_connections = maybe(200, 1, 20),
                                     .keep_free = number(0, 3)};
    const std::uint32_t roles = number(1, 4);
    for (std::uint32_t i = 0; i < roles; ++i) {
      setup.roles["role" + std::to_string(i)] = {.limit = maybe(300, 1, 8),
                                                 .superuser = random_.chance(100)};
    }
    const std::uint32_t databases = number(1, 3);
    for (std::uint32_t i = 0; i < databases; ++i)
      setup.databases["database" + std::to_string(i)] = maybe(200, 1, 10);
    setup.calm = mode_ == Mode::overload ? seconds{24} : seconds{70};
    setup.overload = mode_ == Mode::overload;
    length_ =
        mode_ == Mode::overload ? Duration{seconds{1}} : between(milliseconds{50}, seconds{20});
  }

  template <class Map>
  std::string any_of(const Map& map) {
    return std::next(map.begin(), static_cast<std::ptrdiff_t>(random_.below(map.size())))->first;
  }

  void pools() {
    Setup& setup = script_.setup;
    const std::uint32_t pools = number(1, 6);
    const std::uint32_t heaviest = random_.chance(300) ? 5 : 1;
    for (std::uint32_t i = 0; i < pools; ++i) {
      PoolSetup pool;
      pool.terms.server = any_of(setup.servers);
      pool.terms.dbname = any_of(setup.databases);
      pool.terms.database = "entry of " + pool.terms.dbname;
      pool.terms.role = any_of(setup.roles);
      pool.terms.size = number(1, random_.chance(500) ? 4 : 20);
      pool.terms.size_min = random_.chance(200) ? number(1, pool.terms.size) : 0;
      pool.terms.reserve = random_.chance(200) ? number(1, 3) : 0;
      pool.terms.reserve_after = between(milliseconds{5}, seconds{1});
      pool.terms.weight = number(1, heaviest);
      pool.terms.role_max = maybe(100, 1, 8);
      const std::uint32_t parts = std::min(number(1, 4), setup.shards);
      for (std::uint32_t part = 0; part < parts; ++part)
        pool.shards.push_back((i + part) % setup.shards);
      setup.pools.push_back(pool);
    }
  }

  std::uint32_t any_pool() {
    return static_cast<std::uint32_t>(random_.below(script_.setup.pools.size()));
  }

  void client() {
    Event event{.at = moment(),
                .subject = any_pool(),
                .part = number(0, 3),
                .count = number(1, 20),
                .length = between(microseconds{50}, milliseconds{20})};
    if (random_.chance(100)) event.length = between(milliseconds{20}, seconds{2});
    event.pause = random_.chance(500) ? between(microseconds{1}, milliseconds{50}) : Duration{1};
    if (random_.chance(100)) {
      event.kind = EventKind::impatient;
      event.count = 1;
      event.pause = between(microseconds{1}, milliseconds{100});
    }
    // Several at once: a burst.
    const auto burst = random_.chance(200) ? random_.between(2, 15) : 1;
    for (std::uint64_t i = 0; i < burst; ++i) {
      script_.events.push_back(event);
      event.at += Duration{static_cast<std::int64_t>(random_.between(1, 100'000))};
      event.part = number(0, 3);
    }
  }

  void overload() {
    const Duration longest = between(milliseconds{5}, milliseconds{60});
    for (std::uint32_t pool = 0; pool < script_.setup.pools.size(); ++pool) {
      const auto& terms = script_.setup.pools[pool].terms;
      const std::uint32_t clients = (terms.size + terms.reserve) * 2 + 2;
      for (std::uint32_t i = 0; i < clients; ++i)
        script_.events.push_back({.at = moment(),
                                  .subject = pool,
                                  .part = i,
                                  .count = 1'000'000,
                                  .length = between(longest / 4, longest),
                                  .pause = Duration{1}});
    }
  }

  void fault() {
    Event event{.at = moment(), .subject = number(0, 1000), .part = number(0, 10)};
    event.length = between(milliseconds{1}, milliseconds{500});
    const std::uint32_t size = number(1, 20);
    const auto limit = [&] { return random_.chance(400) ? no_limit : number(0, 8); };
    switch (random_.below(mode_ == Mode::overload ? 8 : 13)) {
      case 0:
        event.kind = EventKind::kill;
        break;
      case 1:
        event.kind = EventKind::pool_size;
        event.subject = any_pool();
        event.count = size;
        break;
      case 2:
        event.kind = EventKind::pool_weight;
        event.subject = any_pool();
        event.count = number(1, 5);
        break;
      case 3:
        event.kind = EventKind::keep_free;
        event.count = number(0, 4);
        break;
      case 4:
        event.kind = EventKind::cap;
        event.count = std::max(limit(), 1U);
        break;
      case 5:
        event.kind = EventKind::alter_role;
        event.count = std::max(limit(), 1U);
        break;
      case 6:
        event.kind = EventKind::alter_database;
        event.count = std::max(limit(), 1U);
        break;
      case 7:
      case 8:
        event.kind = EventKind::direct;
        event.count = number(1, 20);
        event.length = random_.chance(200) ? between(seconds{1}, seconds{10}) : event.length;
        break;
      case 9:
        event.kind = EventKind::reset;
        event.length = random_.chance(300) ? between(seconds{1}, seconds{20}) : event.length;
        break;
      case 10:
        event.kind = random_.chance(500) ? EventKind::restart : EventKind::crash;
        event.count = number(6, 30) + script_.setup.superuser_reserved + script_.setup.reserved;
        break;
      case 11:
        event.kind = EventKind::slow_close;
        break;
      case 12: {
        event.kind = random_.chance(500) ? EventKind::pool_min : EventKind::pause;
        event.subject = any_pool();
        event.count = number(0, 5);
        if (event.kind == EventKind::pause) {
          Event back = event;
          back.kind = EventKind::resume;
          back.at += event.length;
          script_.events.push_back(back);
        }
        break;
      }
      default:
        break;
    }
    script_.events.push_back(event);
  }

  Random random_;
  Mode mode_;
  Script script_;
  Duration length_{};
};

}  // namespace

Script generate(std::uint64_t seed, Mode mode) { return Generator{seed, mode}.make(); }

}  // namespace sim::budget
