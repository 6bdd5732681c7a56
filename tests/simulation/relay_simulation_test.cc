// Relays (tests/ring_support/relay.h) on the simulated kernel. Checked in every run: each byte arrives
// once, in order, at the right peer, or the end of the connection was reported; queues stay within their
// bound; every buffer comes back; every stream closes; something always goes on (in virtual time).
#include <doctest/doctest.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/ring_support/pattern.h"
#include "tests/ring_support/relay.h"
#include "tests/simulation/kernel_sim.h"
#include "tests/simulation/peer.h"
#include "tests/simulation/run.h"
#include "tests/simulation/seeds.h"

namespace sim {
namespace {

using ring_test::Handler;
using ring_test::Relay;

sockaddr_in address_number(std::uint16_t number) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(0x7f000001);
  address.sin_port = htons(number);
  return address;
}

const sockaddr* generic(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

// One connection through the relay and all that is to be known about it.
struct Case {
  Case(World& world, const PeerOptions& client_options, const PeerOptions& server_options)
      : client{world, client_options}, server{world, server_options} {}
  Peer client;
  Peer server;
  std::unique_ptr<Relay> relay;

  [[nodiscard]] bool over() const {
    return relay && relay->finished() && client.done() && (!server.started() || server.done());
  }
};

void check_direction(const Case& one, const Peer& from, const Peer& to, bool from_client) {
  const auto& received = to.received();
  const std::string written = ring_test::pattern(from.options().seed, 0, from.written());
  REQUIRE(received.size() <= written.size());
  REQUIRE(std::equal(received.begin(), received.end(), written.begin()));
  // Ended in order: nothing may be missing.
  const auto end = one.relay->first_end();
  const bool orderly =
      end && end->client == from_client && end->error == 0 && !one.relay->dropped();
  if (orderly && from.wrote_all() && !from.was_reset() && to.ended_well())
    REQUIRE(received.size() == written.size());
}

void check(const Case& one) {
  check_direction(one, one.client, one.server, true);
  check_direction(one, one.server, one.client, false);
}

ring_test::RelayOptions random_relay(Random& random) {
  ring_test::RelayOptions options;
  options.client.credit = 512 + static_cast<std::uint32_t>(random.size(64 * 1024));
  options.server.credit = 512 + static_cast<std::uint32_t>(random.size(64 * 1024));
  options.client.one_shot = random.chance(200);
  options.server.one_shot = random.chance(200);
  options.queue_high = random.size(64 * 1024);
  options.queue_low = options.queue_high / 4 + 1;
  return options;
}

std::uint64_t run_pairs(std::uint64_t seed) {
  World world{seed, random_faults(seed)};
  Random& random = world.random();
  ring::Loop loop;
  REQUIRE(!loop.open(random_loop(random)));
  Handler handler;
  handler.timer = [](ring::Timer& timer) { Relay::expired(timer); };

  const unsigned death = random.chance(400) ? 20U : 0U;
  std::vector<std::unique_ptr<Case>> cases;
  const auto count = random.between(1, 6);
  for (std::uint64_t i = 0; i < count; ++i) {
    auto& one = *cases.emplace_back(
        std::make_unique<Case>(world, random_peer(world, seed * 100 + i * 2, death),
                               random_peer(world, seed * 100 + i * 2 + 1, death)));
    one.relay = std::make_unique<Relay>(loop, random_relay(random));
    const auto [client_socket, client_end] = world.connection();
    const auto [server_socket, server_end] = world.connection();
    one.client.start(client_end);
    one.server.start(server_end);
    one.relay->open(client_socket, server_socket);
  }
  const unsigned killing = random.chance(200) ? 1U : 0U;
  const auto over = [&] {
    return std::all_of(cases.begin(), cases.end(), [](const auto& one) { return one->over(); });
  };
  const auto turn = [&] {
    loop.turn(handler);
    for (const auto& one : cases) one->relay->check_bounds();
    if (random.chance(killing)) cases[random.below(cases.size())]->relay->close();
  };
  const auto describe = [&] {
    std::string text;
    for (const auto& one : cases)
      text += one->client.describe() + one->relay->describe() + one->server.describe();
    return text;
  };
  const auto progress = [&] {
    std::uint64_t sum = 0;
    for (const auto& one : cases) sum += one->client.progress() + one->server.progress();
    return sum;
  };
  turn_until_over(world, {over, turn, describe, progress});
  for (const auto& one : cases) check(*one);
  check_nothing_left(loop);
  REQUIRE(world.open_descriptors() == 0);
  return world.digest();
}

TEST_CASE("simulation: relays deliver every byte or report the end") {
  for_each_seed(1000, [](std::uint64_t seed) { run_pairs(seed); });
}

// Accepting, connecting, descriptors running out, two loops that hand sockets over by mailbox.
struct Shard {
  ring::Loop loop;
  Handler handler;
};

class Cluster {
 public:
  Cluster(World& world, std::size_t clients) : world_{world} {
    Random& random = world.random();
    for (auto& shard : shards_) {
      REQUIRE(!shard.loop.open(random_loop(random)));
      shard.handler.timer = [](ring::Timer& timer) { Relay::expired(timer); };
      shard.handler.refused = [this](ring::Listener&, int) { ++refused_; };
    }
    shards_[0].handler.accepted = [this](ring::Listener&, int socket) { accepted(socket); };
    world_.serve(generic(server_address_), sizeof server_address_,
                 [this](Endpoint end) { served(end); });
    world_.serve_silence(generic(silent_address_), sizeof silent_address_);
    listener_.start(world_.listen(generic(own_address_), sizeof own_address_), 0);
    for (std::size_t i = 0; i < clients; ++i) {
      clients_.push_back(std::make_unique<Peer>(world, random_peer(world, random.next(), 0)));
      arrive_later(*clients_.back());
    }
  }

  void run() {
    const auto turn = [this] {
      Shard& shard = shards_[world_.random().below(2)];
      shard.loop.turn(shard.handler);
      for (const auto& relay : relays_) relay->check_bounds();
      // Also while it still connects.
      if (!relays_.empty() && world_.random().chance(killing_))
        relays_[world_.random().below(relays_.size())]->close();
    };
    const auto progress = [this] {
      std::uint64_t sum = 0;
      for (const auto& peer : clients_) sum += peer->progress();
      for (const auto& peer : servers_) sum += peer->progress();
      return sum;
    };
    turn_until_over(world_,
                    {[this] { return over(); }, turn, [this] { return describe(); }, progress});
    for (const auto& relay : relays_) REQUIRE(relay->finished());
    for (const auto& server : servers_) check_server(*server);
    listener_.stop();
    for (auto& shard : shards_) {
      while (shard.loop.live() > 0) shard.loop.turn(shard.handler);
      check_nothing_left(shard.loop);
    }
    REQUIRE(world_.open_descriptors() == 0);
  }

 private:
  void arrive_later(Peer& client) {
    const auto delay = static_cast<std::int64_t>(world_.random().below(50'000'000));
    world_.at(world_.now() + ring::Duration{delay}, [this, &client] {
      client.start(world_.connect(generic(own_address_), sizeof own_address_));
    });
  }
  void accepted(int socket) {
    // Half of them move to the other shard.
    Shard& shard = shards_[world_.random().below(2)];
    auto start = [this, &shard, socket] { start_relay(shard, socket); };
    if (&shard == &shards_[0]) return start();
    shard.loop.mailbox().post(std::move(start));
  }
  void start_relay(Shard& shard, int socket) {
    auto& relay =
        *relays_.emplace_back(std::make_unique<Relay>(shard.loop, random_relay(world_.random())));
    const int server = world_.socket();
    relay.open_client(socket);
    if (server < 0) return relay.close();
    if (!world_.random().chance(100))
      return relay.connect_server(server, generic(server_address_), sizeof server_address_);
    // Nobody ever answers: only close() ends it.
    relay.connect_server(server, generic(silent_address_), sizeof silent_address_);
    world_.at(world_.now() + std::chrono::seconds{1}, [&relay] { relay.close(); });
  }
  void served(Endpoint end) {
    auto& peer = *servers_.emplace_back(
        std::make_unique<Peer>(world_, random_peer(world_, world_.random().next(), 0)));
    peer.start(end);
  }
  // Whose bytes a server got tells the client it was linked to: it must have got that server's.
  void check_server(const Peer& server) const {
    constexpr std::size_t telling = 8;
    if (server.received().size() < telling) return;
    std::size_t linked = 0;
    for (const auto& client : clients_) {
      const std::string sent = ring_test::pattern(client->options().seed, 0, client->written());
      if (!sent.starts_with(server.received())) continue;
      ++linked;
      REQUIRE(ring_test::pattern(server.options().seed, 0, server.written())
                  .starts_with(client->received()));
    }
    REQUIRE(linked == 1);
  }
  [[nodiscard]] bool over() const {
    const bool clients = std::all_of(clients_.begin(), clients_.end(),
                                     [](const auto& peer) { return peer->done(); });
    const bool servers = std::all_of(servers_.begin(), servers_.end(),
                                     [](const auto& peer) { return peer->done(); });
    const bool relays = std::all_of(relays_.begin(), relays_.end(),
                                    [](const auto& relay) { return relay->finished(); });
    return clients && servers && relays;
  }

  [[nodiscard]] std::string describe() const {
    std::string text;
    for (const auto& peer : clients_) text += "client " + peer->describe();
    for (const auto& peer : servers_) text += "server " + peer->describe();
    for (const auto& relay : relays_) text += relay->describe();
    return text;
  }

  World& world_;
  const sockaddr_in own_address_ = address_number(6432);
  const sockaddr_in server_address_ = address_number(5432);
  const sockaddr_in silent_address_ = address_number(5433);
  std::array<Shard, 2> shards_;
  ring::Listener listener_{shards_[0].loop};
  std::vector<std::unique_ptr<Peer>> clients_;
  std::vector<std::unique_ptr<Relay>> relays_;
  std::vector<std::unique_ptr<Peer>> servers_;
  std::uint64_t refused_ = 0;
  unsigned killing_ = world_.random().chance(300) ? 2U : 0U;
};

std::uint64_t run_cluster(std::uint64_t seed) {
  World world{seed, random_faults(seed)};
  if (world.random().chance(500)) world.limit_descriptors(world.random().between(3, 20));
  Cluster cluster{world, world.random().between(1, 10)};
  cluster.run();
  return world.digest();
}

TEST_CASE("simulation: accepted, handed over, connected and closed, with few descriptors") {
  for_each_seed(500, [](std::uint64_t seed) { run_cluster(seed); });
}

TEST_CASE("simulation: a seed gives the same run again") {
  for_each_seed(40, [](std::uint64_t seed) {
    REQUIRE(run_pairs(seed) == run_pairs(seed));
    REQUIRE(run_cluster(seed) == run_cluster(seed));
  });
}

}  // namespace
}  // namespace sim
