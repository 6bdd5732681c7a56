#include <cstdlib>

#include "tests/simulation/network.h"

namespace sim {
namespace {

thread_local World* current_world = nullptr;

}  // namespace

Faults Faults::any(Random& random) {
  const auto rate = [&](unsigned frequent) -> unsigned {
    switch (random.below(3)) {
      case 0:
        return 0;
      case 1:
        return 1 + frequent / 20;
      default:
        return frequent;
    }
  };
  return {.delay = rate(700),
          .hold = rate(500),
          .spurious = rate(200),
          .short_send = rate(100),
          .reset = rate(4),
          .early_end = rate(300),
          .no_buffer = rate(100),
          .late_cancel = rate(500),
          .no_descriptor = rate(100),
          .refuse = rate(100),
          .connect_delay_max = std::chrono::milliseconds{random.below(200)},
          .socket_buffer_max = random.size(262'144)};
}

std::size_t Endpoint::write(std::string_view bytes) {
  if (socket_->closed || bytes.empty()) return 0;
  const long written = network_->write(*socket_, bytes);
  return written > 0 ? static_cast<std::size_t>(written) : 0;
}

std::string Endpoint::read(std::size_t size_max) { return network_->read(*socket_, size_max); }
std::size_t Endpoint::readable() const { return socket_->readable(); }
bool Endpoint::ended() const { return socket_->readable() == 0 && socket_->at_end(); }
bool Endpoint::was_reset() const { return socket_->was_reset; }
bool Endpoint::is_closed() const { return socket_->closed; }

void Endpoint::finish() {
  socket_->write_shut = true;
  network_->stir();
}

void Endpoint::close() {
  if (!socket_->closed) network_->close(*socket_);
}

void Endpoint::reset() {
  if (socket_->closed) return;
  network_->reset(*socket_);
  network_->close(*socket_);
}

World::World(std::uint64_t seed, const Faults& faults)
    : network_{std::make_unique<Network>(seed, faults)} {
  if (current_world != nullptr) network_->fail("two worlds in one thread");
  current_world = this;
}

World::~World() {
  if (!network_->kernels.empty()) network_->fail("a kernel outlives its world");
  current_world = nullptr;
}

World* World::current() { return current_world; }
Random& World::random() { return network_->random; }
Faults& World::faults() { return network_->faults; }
ring::Instant World::now() const { return network_->now; }
std::uint64_t World::digest() const { return network_->digest; }
std::size_t World::open_descriptors() const { return network_->descriptors.size(); }
void World::limit_descriptors(std::size_t limit) { network_->descriptor_limit = limit; }
void World::fail_open(int error) { network_->open_error = error; }
void World::fail(const std::string& what) const { network_->fail(what); }

void World::at(ring::Instant when, std::function<void()> action) {
  network_->actions.emplace(when, std::move(action));
}

bool World::stuck() const {
  for (const KernelView* const kernel : network_->kernels) {
    if (kernel->can_go_on()) return false;
  }
  return !network_->next_event();
}

std::pair<int, Endpoint> World::connection() {
  Socket& ours = network_->make(Socket::Kind::stream);
  Socket& theirs = network_->make(Socket::Kind::stream);
  network_->connect(ours, theirs);
  return {network_->give_descriptor(ours), Endpoint{*network_, theirs}};
}

int World::socket() { return network_->give_descriptor(network_->make(Socket::Kind::unconnected)); }

int World::listen(const sockaddr* address, socklen_t size) {
  Socket& socket = network_->make(Socket::Kind::listener);
  socket.address = Network::key_of(address, size);
  network_->listeners[socket.address] = &socket;
  return network_->give_descriptor(socket);
}

Endpoint World::connect(const sockaddr* address, socklen_t size) {
  const auto found = network_->listeners.find(Network::key_of(address, size));
  if (found == network_->listeners.end()) return {};
  Socket& theirs = network_->make(Socket::Kind::stream);
  Socket& ours = network_->make(Socket::Kind::stream);
  network_->connect(ours, theirs);
  found->second->backlog.push_back(&ours);
  return Endpoint{*network_, theirs};
}

void World::serve(const sockaddr* address, socklen_t size, std::function<void(Endpoint)> server) {
  network_->servers[Network::key_of(address, size)] = std::move(server);
}

void World::serve_silence(const sockaddr* address, socklen_t size) {
  network_->servers[Network::key_of(address, size)] = {};
}

}  // namespace sim
