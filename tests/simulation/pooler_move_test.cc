// Idle server connections that change shards, in the whole pooler on the simulated kernel: real shards,
// pools, budget and policy on one thread, a PostgreSQL and clients of the simulation. Checked all the time:
// each client gets the answer to its own question, given by a session with its own settings; PostgreSQL
// never sees more connections than it may; each promise of a connection is kept or broken once.
#include <doctest/doctest.h>
#include <netinet/in.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "src/shard/shard.h"
#include "src/shard/shared.h"
#include "tests/simulation/kernel_sim.h"
#include "tests/simulation/postgres_sim.h"
#include "tests/simulation/run.h"
#include "tests/simulation/seeds.h"

namespace sim {
namespace {

using pgring::Config;
using pgring::Life;
using pgring::Pool;
using pgring::Server;
using pgring::Shard;

struct RigOptions {
  std::uint32_t shards = 2;
  std::uint32_t connections = 1;  // that PostgreSQL lets us have
  PostgresHabits habits{};
  std::vector<pgring::RingFeature> disable{};
};

Config config_of(const RigOptions& options) {
  Config config;
  config.servers["main"] = {
      .host = "127.0.0.1", .port = 5432, .max_connections = options.connections, .keep_free = 0};
  // Large enough for a part on every shard; what is scarce is the server's.
  config.databases["app"] = {.pool_size = 4 * options.shards};
  config.auth.method = pgring::AuthMethod::trust;
  config.ring.disable = options.disable;
  return config;
}

class PoolerRig {
 public:
  PoolerRig(World& world, const RigOptions& options)
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
  ~PoolerRig() {
    for (const auto& one : shared.shards) CHECK(one->finished());
  }

  [[nodiscard]] Shard& shard(std::uint32_t index) { return *shared.shards[index]; }
  [[nodiscard]] pgring::PoolHome& home() {
    return shared.placement.home({"app", "app"}, runtime_->config);
  }

  SqlClient& client(std::uint32_t at, SqlClientOptions options) {
    auto& client = *clients.emplace_back(std::make_unique<SqlClient>(world_, std::move(options)));
    const auto [socket, end] = world_.connection();
    client.start(end);
    shard(at).adopt_client(socket, {}, client.startup_packet(), nullptr, nullptr);
    return client;
  }

  void turn(std::uint32_t at) {
    shard(at).turn();
    if (postgres.open() > options_.connections) world_.fail("PostgreSQL has too many connections");
  }
  void turn_any() { turn(static_cast<std::uint32_t>(world_.random().below(options_.shards))); }
  void until(const std::function<bool()>& done) {
    until(done, [this] { turn_any(); });
  }
  void until(const std::function<bool()>& done, std::uint32_t at) {
    until(done, [this, at] { turn(at); });
  }
  // Questions put by hand.
  void answer(SqlClient& client, std::string_view question) {
    until([&] { return client.ready(); });
    const auto answered = client.answered();
    client.ask(question);
    until([&] { return client.answered() > answered; });
  }

  [[nodiscard]] std::string describe() {
    std::string text = "PostgreSQL: open=" + std::to_string(postgres.open()) +
                       " logins=" + std::to_string(postgres.logins()) +
                       " held=" + std::to_string(shared.budget.held(home().budget_id)) + '\n';
    for (const auto& one : clients) text += one->describe();
    for (std::uint32_t at = 0; at < options_.shards; ++at) {
      text += "shard " + std::to_string(at) + ':';
      for (const auto& [key, pool] : shard(at).pools()) {
        text += " waiting=" + std::to_string(pool->waiting()) +
                " inbound=" + std::to_string(home().board.part(pool->part()).inbound());
        for (const Server* server = pool->servers().front(); server != nullptr;
             server = Pool::ServerList::next(*server)) {
          text += " server " + std::to_string(server->backend_pid()) + ' ' +
                  std::string{server->state_name()} +
                  (server->phase() == Server::Phase::moving ? " moving" : "") +
                  (server->idle_hook.linked() ? " in the list" : "");
        }
      }
      text += '\n';
    }
    return text;
  }

  [[nodiscard]] std::uint64_t moves_out() const {
    std::uint64_t sum = 0;
    for (const auto& one : shared.shards) sum += one->counters().moves_out;
    return sum;
  }
  [[nodiscard]] std::uint64_t moves_in() const {
    std::uint64_t sum = 0;
    for (const auto& one : shared.shards) sum += one->counters().moves_in;
    return sum;
  }
  // The server connection of this shard, if it has exactly one.
  [[nodiscard]] const Server* server_of(std::uint32_t at) {
    for (const auto& [key, pool] : shard(at).pools())
      if (pool->servers().size() == 1) return pool->servers().front();
    return nullptr;
  }
  [[nodiscard]] bool is_moving(std::uint32_t at) {
    const Server* const server = server_of(at);
    return server != nullptr && server->phase() == Server::Phase::moving;
  }

  void end(Life life) {
    shared.life = life;
    for (const auto& one : shared.shards) one->post([target = one.get()] { target->apply_life(); });
  }
  [[nodiscard]] bool finished() const {
    return std::ranges::all_of(shared.shards, [](const auto& one) { return one->finished(); });
  }
  void stop() {
    if (shared.life.load() == Life::serving) end(Life::stopping);
    until([this] { return finished() && postgres.open() == 0; });
    REQUIRE(shared.working_shards.load() == 0);
    for (std::uint32_t part = 0; part < home().parts(); ++part)
      REQUIRE(home().board.part(part).inbound() == 0);
    REQUIRE(shared.budget.held(home().budget_id) == 0);
    for (const auto& one : shared.shards) REQUIRE(one->loop().live() == 0);
    REQUIRE(world_.open_descriptors() == 0);
  }

 private:
  void until(const std::function<bool()>& done, const std::function<void()>& turn_one) {
    for (std::uint64_t turns = 0; !done(); ++turns) {
      if (turns == 200'000) world_.fail("it never happens\n" + describe());
      turn_one();
    }
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

  World& world_;
  RigOptions options_;

 public:
  Postgres postgres;
  pgring::Shared shared;
  std::vector<std::unique_ptr<SqlClient>> clients;

 private:
  std::shared_ptr<const pgring::Runtime> runtime_;
};

TEST_CASE("move: the only connection goes to the shard whose client waits, with all it has set") {
  for_each_seed(60, [](std::uint64_t seed) {
    World world{seed, random_faults_without_loss(seed)};
    PoolerRig rig{world, {}};
    SqlClient& first = rig.client(0, {.name = "first"});
    rig.answer(first, "one");
    const Server* const before = rig.server_of(0);
    REQUIRE(before != nullptr);
    const auto id = before->id();
    const auto pid = before->backend_pid();
    const auto created = before->created();
    CHECK(before->overrides().list().size() == 1);

    SqlClient& second = rig.client(1, {.name = "second"});
    rig.answer(second, "two");
    CHECK(rig.shard(0).counters().moves_out == 1);
    CHECK(rig.shard(1).counters().moves_in == 1);
    CHECK(rig.server_of(0) == nullptr);
    const Server* const after = rig.server_of(1);
    REQUIRE(after != nullptr);
    CHECK(after->id() == id);
    CHECK(after->backend_pid() == pid);
    CHECK(after->created() == created);

    // It knows what is set: the same name is not set again, here or where it goes back to.
    SqlClient& twin = rig.client(1, {.name = "second"});
    rig.answer(twin, "three");
    SqlClient& other_twin = rig.client(0, {.name = "second"});
    rig.answer(other_twin, "four");
    rig.answer(first, "five");
    rig.answer(second, "six");
    CHECK(rig.postgres.needless_settings() == 0);
    CHECK(rig.postgres.logins() == 1);
    CHECK(rig.moves_in() >= 3);
    rig.stop();
  });
}

TEST_CASE("move: what the server says meanwhile is heard by the one who has the connection") {
  // Method: the server speaks when the connection is about to go. It may be heard before the receive is
  // stopped, which calls the move off, or be left in the socket for the other shard. The waiter is served.
  std::uint64_t called_off = 0;
  std::uint64_t gone = 0;
  for_each_seed(300, [&](std::uint64_t seed) {
    World world{seed, random_faults_without_loss(seed)};
    PoolerRig rig{world, {}};
    SqlClient& first = rig.client(0, {.name = "first"});
    rig.answer(first, "one");
    SqlClient& second = rig.client(1, {.name = "second"});
    // It may have gone as soon as it was asked for: an audit had held it until then.
    rig.until([&] { return rig.is_moving(0) || rig.moves_out() > 0; });
    switch (seed % 3) {
      case 0:
        rig.postgres.notify_all(true);
        break;
      case 1:
        rig.postgres.notify_all(false);
        break;
      default:
        rig.postgres.say_goodbye_to_all();
        break;
    }
    rig.until([&] { return !rig.is_moving(0); });
    ++(rig.moves_out() == 0 ? called_off : gone);
    const bool goodbye = seed % 3 == 2;
    rig.until([&] { return second.ready() || second.lost(); });
    // A goodbye left in the socket may meet it when it is linked already, as it would without the move.
    if (second.lost()) {
      CHECK(goodbye);
      CHECK(rig.moves_in() == 1);
      INFO(second.error());
      CHECK(!second.error().empty());
    } else {
      rig.answer(second, "two");
    }
    rig.answer(first, "three");
    CHECK(rig.postgres.logins() == (goodbye ? 2 : 1));
    rig.stop();
  });
  if (number_from("SIM_STEPS", 15) < 15) return;
  CHECK(called_off > 0);
  CHECK(gone > 0);
}

TEST_CASE("move: a connection in the middle of a message stays until it has ended") {
  for_each_seed(60, [](std::uint64_t seed) {
    World world{seed, {}};
    PoolerRig rig{world, {}};
    SqlClient& first = rig.client(0, {.name = "first"});
    rig.answer(first, "one");
    rig.postgres.notify_all(false);
    for (int i = 0; i < 3; ++i) rig.turn(0);
    SqlClient& second = rig.client(1, {.name = "second"});
    rig.answer(second, "two");
    CHECK(rig.postgres.logins() == 1);
    rig.stop();
  });
}

// Runs until the connection is between the shards: given up by the first, not yet taken by the second.
void until_on_its_way(PoolerRig& rig) {
  while (rig.moves_out() == 0) {
    // Not the second's turn once the first may give: it would take the connection in the same breath.
    rig.is_moving(0) ? rig.turn(0) : rig.turn_any();
  }
  REQUIRE(rig.moves_in() == 0);
  REQUIRE(rig.server_of(0) == nullptr);
}

TEST_CASE("move: what all shards were told while a connection was on its way holds for it too") {
  for_each_seed(100, [](std::uint64_t seed) {
    CAPTURE(seed);
    World world{seed, {}};
    PoolerRig rig{world, {}};
    SqlClient& first = rig.client(0, {.name = "first"});
    rig.answer(first, "one");
    SqlClient& second = rig.client(1, {.name = "second"});
    until_on_its_way(rig);
    Config config = config_of({});
    switch (seed % 4) {
      case 0:  // RECONNECT
        for (std::uint32_t at = 0; at < 2; ++at)
          for (const auto& [key, pool] : rig.shard(at).pools()) pool->close_all("RECONNECT");
        break;
      case 1: {  // RELOAD with another place
        config.databases["app"].dbname = "elsewhere";
        const auto runtime =
            std::make_shared<const pgring::Runtime>(pgring::make_runtime(std::move(config)));
        for (std::uint32_t at = 0; at < 2; ++at) rig.shard(at).reload(runtime);
        break;
      }
      case 2:  // PAUSE
        for (std::uint32_t at = 0; at < 2; ++at) rig.shard(at).pause({});
        break;
      default: {  // RELOAD that changes nothing that matters to it
        const auto runtime =
            std::make_shared<const pgring::Runtime>(pgring::make_runtime(std::move(config)));
        for (std::uint32_t at = 0; at < 2; ++at) rig.shard(at).reload(runtime);
        break;
      }
    }
    rig.until([&] { return rig.moves_in() == 1; });
    const bool kept = seed % 4 == 3;
    const Server* const server = rig.server_of(1);
    REQUIRE(server != nullptr);
    CHECK((server->phase() == Server::Phase::closing) != kept);
    if (seed % 4 == 2) {
      rig.until([&] { return rig.postgres.open() == 0; });
      for (std::uint32_t at = 0; at < 2; ++at) rig.shard(at).resume({});
    }
    rig.answer(second, "two");
    CHECK(rig.postgres.logins() == (kept ? 1 : 2));
    rig.stop();
  });
}

TEST_CASE("move: nobody ends while a connection is on its way") {
  // Method: the stop comes when the connection is about to go, and the second shard, which it goes to, has
  // nothing left to do before the first has heard of it.
  //         In some seeds an audit delays it so that it is over within one look: those say nothing.
  std::uint64_t seen = 0, gone = 0;
  for_each_seed(400, [&](std::uint64_t seed) {
    World world{seed, random_faults_without_loss(seed)};
    PoolerRig rig{world, {}};
    SqlClient& first = rig.client(0, {.name = "first"});
    rig.answer(first, "one");
    SqlClient& second = rig.client(1, {.name = "second"});
    rig.until([&] { return rig.is_moving(0) || rig.moves_in() == 1; });
    if (!rig.is_moving(0)) return rig.stop();
    ++seen;
    rig.end(Life::stopping);
    for (int i = 0; i < 1000 && rig.shared.working_shards.load() == 2; ++i) rig.turn(1);
    REQUIRE(rig.shared.working_shards.load() == 1);
    for (int i = 0; i < 1000 && rig.is_moving(0); ++i) rig.turn(0);
    if (rig.moves_out() == 1) {
      ++gone;
      rig.until([&] { return first.done() && second.done(); }, 0);
      CHECK(!rig.shard(0).finished());
      CHECK(!rig.shard(1).finished());
      CHECK(rig.postgres.open() == 1);
    }
    rig.stop();
    CHECK(rig.moves_in() == rig.moves_out());
  });
  if (number_from("SIM_STEPS", 400) < 400) return;
  CHECK((seen * fewer >= 300 && gone > 0));
}

// Many clients on all shards, few connections.

struct Seen {
  std::uint64_t moves = 0;
  std::uint64_t answers = 0;
  std::uint64_t lost = 0;
};

RigOptions random_rig(Random& random) {
  RigOptions options;
  options.shards = static_cast<std::uint32_t>(random.between(2, 4));
  options.connections = static_cast<std::uint32_t>(random.between(1, 4));
  if (random.chance(300)) options.habits.notices = 100;
  if (random.chance(300)) options.habits.reloads = 50;
  if (random.chance(300)) options.habits.goodbyes = 10;
  for (const auto feature : {pgring::RingFeature::min_wait, pgring::RingFeature::credit_receive,
                             pgring::RingFeature::send_vectorized}) {
    if (random.chance(400)) options.disable.push_back(feature);
  }
  return options;
}

std::uint64_t run_crowd(std::uint64_t seed, Seen& seen) {
  World world{seed, random_faults_without_loss(seed)};
  Random& random = world.random();
  const RigOptions options = random_rig(random);
  PoolerRig rig{world, options};
  const auto count = random.between(2, 12);
  for (std::uint64_t i = 0; i < count; ++i) {
    // Few names: connections that have the right one already are met, too.
    rig.client(static_cast<std::uint32_t>(random.below(options.shards)),
               {.name = "client" + std::to_string(random.below(4)),
                .queries = random.between(1, 40),
                .think_max = std::chrono::milliseconds{random.between(0, 20)},
                .transactions = random.chance(500) ? 200U : 0U});
  }
  const auto all_done = [&] {
    return std::ranges::all_of(rig.clients, [](const auto& one) { return one->done(); });
  };
  const bool cut_short = random.chance(200);
  const auto enough = random.between(1, 100);
  rig.until([&] { return all_done() || (cut_short && rig.postgres.answers() > enough); });
  if (cut_short) {
    rig.end(random.chance(500) ? Life::stopping : Life::finishing);
    rig.until(all_done);
  }
  for (const auto& one : rig.clients) {
    INFO(one->error());
    seen.answers += one->answered();
    if (one->lost()) ++seen.lost;
    if (options.habits.goodbyes == 0 && !cut_short) REQUIRE(!one->lost());
  }
  CHECK(rig.postgres.needless_settings() == 0);
  CHECK((rig.moves_in() == rig.moves_out() || cut_short));
  seen.moves += rig.moves_in();
  rig.stop();
  CHECK(rig.moves_in() == rig.moves_out());
  return world.digest();
}

TEST_CASE("move: a crowd on all shards shares few connections, and each gets its own answers") {
  Seen seen;
  for_each_seed(400, [&](std::uint64_t seed) { run_crowd(seed, seen); });
  MESSAGE("moves ", seen.moves, ", answers ", seen.answers, ", clients lost ", seen.lost);
  if (number_from("SIM_STEPS", 20) < 20) return;
  CHECK(seen.moves > 100);
  CHECK(seen.answers > 1000);
}

}  // namespace
}  // namespace sim
