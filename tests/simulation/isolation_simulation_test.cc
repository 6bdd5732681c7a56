// Isolation in transaction mode: the whole pooler on the simulated kernel, dozens of clients with scripts from a seed on one
// to five server connections, two shards. Checked all the time: each client gets, byte for byte, what a direct
// connection would have answered it. Checked at the end: nothing is left over, and each server
// connection holds what its pooler side believes.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/shard/shard.h"
#include "src/shard/shared.h"
#include "tests/simulation/kernel_sim.h"
#include "tests/simulation/run.h"
#include "tests/simulation/seeds.h"
#include "tests/simulation/session_client.h"
#include "tests/simulation/session_postgres.h"

namespace sim {
namespace {

using pgring::Config;
using pgring::Life;
using pgring::Server;
using pgring::Shard;

struct RigOptions {
  std::uint32_t shards = 2;
  std::uint32_t connections = 1;
  std::uint32_t max_prepared_statements = 200;
  bool has_base = false;
  bool may_lose = false;
  SessionPostgresHabits habits{};
  std::vector<pgring::RingFeature> disable{};
};

Config config_of(const RigOptions& options) {
  Config config;
  config.servers["main"] = {
      .host = "127.0.0.1", .port = 5432, .max_connections = options.connections, .keep_free = 0};
  // Large enough for a part on every shard; what is scarce is the server's.
  config.databases["app"] = {.pool_size = 4 * options.shards,
                             .connect_query = options.has_base ? "set lock_timeout = 'base'" : "",
                             .max_pinned = 1000,
                             .max_prepared_statements = options.max_prepared_statements};
  config.auth.method = pgring::AuthMethod::trust;
  config.ring.disable = options.disable;
  return config;
}

// What is set to its default may be believed to be set or not: it comes to the same.
std::string without_defaults(const SimSession::Settings& settings) {
  std::string text;
  for (const auto& [name, value] : settings)
    if (value != SimSession::default_of(name))
      text.append(name).append("=").append(value).append(" ");
  return text;
}

class IsolationRig {
 public:
  IsolationRig(World& world, const RigOptions& options)
      : world_{world},
        options_{options},
        postgres{world, options.habits},
        shared{options.shards},
        runtime_{
            std::make_shared<const pgring::Runtime>(pgring::make_runtime(config_of(options)))} {
    const auto& address = runtime_->addresses.at("main").front();
    world.serve(address.get(), address.size, [this](Endpoint end) { postgres.accept(end); });
    for (std::uint32_t i = 0; i < options.shards; ++i) {
      shared.shards.push_back(std::make_unique<Shard>(shared, i, runtime_));
      REQUIRE(!shard(i).open());
    }
    shared.placement.configure(runtime_->config, world.now());
    learn();
  }

  [[nodiscard]] Shard& shard(std::uint32_t index) { return *shared.shards[index]; }
  [[nodiscard]] pgring::PoolHome& home() {
    return shared.placement.home({"app", "app"}, runtime_->config);
  }

  // It comes at some time, to some shard.
  void client(SessionClientOptions options) {
    options.connect = [this](std::string packet) { return connect(std::move(packet)); };
    auto& client =
        *clients.emplace_back(std::make_unique<SessionClient>(world_, std::move(options)));
    const std::chrono::microseconds later{world_.random().below(30'000)};
    world_.at(world_.now() + later,
              [this, &client] { client.start(connect(client.startup_packet())); });
  }

  void until(const std::function<bool()>& done) {
    for (std::uint64_t turns = 0; !done(); ++turns) {
      if (turns == 3'000'000) world_.fail("it never happens\n" + describe());
      shard(static_cast<std::uint32_t>(world_.random().below(options_.shards))).turn();
      if (postgres.open() > options_.connections)
        world_.fail("PostgreSQL has too many connections");
    }
  }

  template <class Visit>
  void each_server(Visit&& visit) {
    for (const auto& one : shared.shards) {
      for (const auto& [key, pool] : one->pools()) {
        for (Server* server = pool->servers().front(); server != nullptr;
             server = pgring::Pool::ServerList::next(*server))
          visit(*server);
      }
    }
  }
  // Everybody has gone, and no server connection does anything.
  [[nodiscard]] bool settled() {
    bool all = true;
    each_server([&](const Server& one) {
      all = all && one.is_idle_ready() && one.own() == Server::Own::none;
    });
    for (const auto& one : shared.shards)
      for (const auto& [key, pool] : one->pools())
        all = all && pool->waiting() == 0 && pool->clients() == 0;
    return all;
  }
  // What pgring believes of each server connection is what is there.
  void check_beliefs() {
    each_server([&](Server& server) {
      INFO("backend " << server.backend_pid());
      const SimSession* const session = postgres.session(server.backend_pid());
      REQUIRE(session != nullptr);
      CHECK(session->status() == 'I');
      CHECK(session->locks().empty());
      CHECK(session->tables().empty());
      CHECK(server.pins().empty());
      SimSession::Settings believed;
      // A setting of connect_query that a client has reset is marked, and comes back with the next replay.
      for (const auto& [name, value] : server.overrides().list())
        if (value != "\x01(reset)") believed[name] = value;
      const bool is_reset = find_parameter(server.overrides().list(), "lock_timeout") != nullptr;
      if (options_.has_base && !is_reset) believed.emplace("lock_timeout", "base");
      CHECK(without_defaults(believed) == without_defaults(session->session_settings()));
      check_statements(server, *session);
    });
  }

  [[nodiscard]] std::uint64_t isolation_faults() {
    std::uint64_t sum = 0;
    for (const auto& one : shared.shards)
      for (const auto& [key, pool] : one->pools()) sum += pool->stats().isolation_faults;
    return sum;
  }

  [[nodiscard]] std::uint64_t parses_spared() {
    std::uint64_t sum = 0;
    for (const auto& one : shared.shards)
      for (const auto& [key, pool] : one->pools()) sum += pool->stats().parses_spared;
    return sum;
  }

  void stop() {
    shared.life = Life::stopping;
    for (const auto& one : shared.shards) one->post([target = one.get()] { target->apply_life(); });
    until([this] {
      return postgres.open() == 0 &&
             std::ranges::all_of(shared.shards, [](const auto& one) { return one->finished(); });
    });
    REQUIRE(shared.budget.held(home().budget_id) == 0);
    for (const auto& one : shared.shards) REQUIRE(one->loop().live() == 0);
    REQUIRE(world_.open_descriptors() == 0);
    CHECK(home().statements.size() == 0);
    CHECK(home().statements.bytes() == 0);
  }

 private:
  // Each one there is one that pgring knows of, so that it will be closed some day; and those it
  // would use are there, with their own text.
  void check_statements(Server& server, const SimSession& session) {
    for (const auto& [name, text] : session.statements()) {
      if (!name.starts_with("pgring_")) {
        CHECK_MESSAGE(name.empty(), "a client's own name: ", name);
        continue;
      }
      CHECK_MESSAGE(server.statements().find(std::stoull(name.substr(7))) != nullptr, name,
                    " is known to nobody");
    }
    for (const auto& row : home().statements.rows(1U << 20)) {
      const auto* const copy = server.statements().find(std::stoull(row.name.substr(7)));
      if (copy == nullptr || copy->doubtful) continue;
      const auto at = session.statements().find(row.name);
      CHECK_MESSAGE(at != session.statements().end(), row.name, " is not there: ", row.text);
      if (at != session.statements().end()) CHECK(at->second == row.text);
    }
  }

  Endpoint connect(std::string packet) {
    const auto [socket, end] = world_.connection();
    shard(static_cast<std::uint32_t>(world_.random().below(options_.shards)))
        .adopt_client(socket, {}, std::move(packet), nullptr, nullptr);
    return end;
  }
  // What somebody who asks the server now and then would learn.
  void learn() {
    pgring::ServerLimits limits;
    limits.id = {.system_identifier = 1, .started_us = 1};
    limits.max_connections = 100;
    const auto alive = postgres.pids();
    shared.budget.learned("main", limits, alive, world_.now(), world_.now());
    world_.at(world_.now() + std::chrono::milliseconds{100}, [this] { learn(); });
  }
  [[nodiscard]] std::string describe() {
    std::string text = "PostgreSQL: open=" + std::to_string(postgres.open()) + '\n';
    for (const auto& one : clients)
      if (!one->done()) text += one->describe();
    each_server([&](const Server& server) {
      text += "server " + std::to_string(server.backend_pid()) + ' ' +
              std::string{server.state_name()} + " pins '" + server.pins().text() + "' owes " +
              std::to_string(server.queue().size()) +
              (server.client() != nullptr ? " linked" : "") + '\n';
    });
    return text;
  }

  World& world_;
  RigOptions options_;

 public:
  SessionPostgres postgres;
  pgring::Shared shared;
  std::vector<std::unique_ptr<SessionClient>> clients;

 private:
  std::shared_ptr<const pgring::Runtime> runtime_;
};

struct Seen {
  std::uint64_t replies = 0;
  std::uint64_t requests = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t lost = 0;
  std::uint64_t spared = 0;  // Parses
};

RigOptions random_rig(Random& random) {
  RigOptions options;
  options.connections = static_cast<std::uint32_t>(random.between(1, 5));
  options.shards = random.chance(700) ? 2 : 1;
  if (random.chance(600))
    options.max_prepared_statements = static_cast<std::uint32_t>(random.between(1, 6));
  options.has_base = random.chance(200);
  options.may_lose = random.chance(150);
  options.habits.session.reports_at_once = random.chance(300);
  options.habits.busy = static_cast<unsigned>(random.below(random.chance(300) ? 800 : 150));
  if (random.chance(300)) options.habits.notices = 30;
  if (options.may_lose && random.chance(500)) options.habits.goodbyes = 2;
  for (const auto feature : {pgring::RingFeature::min_wait, pgring::RingFeature::credit_receive,
                             pgring::RingFeature::send_vectorized}) {
    if (random.chance(400)) options.disable.push_back(feature);
  }
  return options;
}

// Names of statements go on from seed to seed. All are to be of one length, or a seed would not do the same after others
// as by itself.
void lengthen_names() {
  constexpr std::uint64_t six_digits = 100'000;
  static bool done = false;
  if (std::exchange(done, true)) return;
  pgring::StatementTable table;
  while (table.intern({.text = {}, .types = {}, .settings = {}})->id() < six_digits) {
  }
}

void run_crowd(std::uint64_t seed, Seen& seen) {
  Random chance{seed * 104729};
  const RigOptions options = random_rig(chance);
  World world{seed, options.may_lose ? random_faults(seed) : random_faults_without_loss(seed)};
  IsolationRig rig{world, options};
  const auto count = chance.between(2, 24);
  const bool leave = chance.chance(600);
  const bool cancel = chance.chance(600);
  const bool sneak = chance.chance(400);
  const bool alike = chance.chance(500);
  // Not yet as on a direct connection: what is planned behind a group that turns out to fail, or behind DEALLOCATE ALL.
  const bool ahead = number_from("SIM_AHEAD", 0) != 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    rig.client({.name = "c" + std::to_string(i),
                .seed = chance.next(),
                .bursts = chance.between(1, 20),
                .think_max = std::chrono::milliseconds{chance.between(0, 10)},
                .aborts = leave && chance.chance(500) ? 100U : 0U,
                .cancels = cancel ? 100U : 0U,
                .sneaks = sneak ? 40U : 0U,
                .alike = alike ? 985U : 50U,
                .runs_ahead = ahead,
                .may_lose = options.may_lose,
                .has_base = options.has_base,
                .session = options.habits.session,
                .connect = {}});
  }
  rig.until([&] {
    return std::ranges::all_of(rig.clients, [](const auto& one) { return one->done(); });
  });
  rig.until([&] { return rig.settled(); });
  rig.check_beliefs();
  CHECK(rig.isolation_faults() == 0);
  CHECK(rig.postgres.most_statements() <= options.max_prepared_statements);
  for (const auto& one : rig.clients) {
    seen.replies += one->replies();
    if (one->lost()) ++seen.lost;
  }
  seen.requests += rig.postgres.requests();
  seen.cancelled += rig.postgres.cancelled();
  seen.spared += rig.parses_spared();
  rig.stop();
}

TEST_CASE("isolation: each of many clients is answered as on a connection of its own") {
  lengthen_names();
  Seen seen;
  for_each_seed(200, [&](std::uint64_t seed) { run_crowd(seed, seen); });
  MESSAGE("replies ", seen.replies, ", requests ", seen.requests, ", cancelled ", seen.cancelled,
          ", clients lost ", seen.lost, ", Parses spared ", seen.spared);
  if (number_from("SIM_STEPS", 20) < 20) return;
  CHECK(seen.replies * fewer > 20'000);
  CHECK(seen.cancelled * fewer > 20);
  CHECK(seen.spared * fewer > 20);
}

}  // namespace
}  // namespace sim
