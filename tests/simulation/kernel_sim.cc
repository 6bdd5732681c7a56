// ring::Kernel on a simulated machine. What an operation does is in operations.cc; here is when.
#include "tests/simulation/kernel_sim.h"

#include <algorithm>
#include <cerrno>

#include "tests/simulation/operations.h"

namespace ring {

struct Kernel::Implementation final : sim::KernelView {
  explicit Implementation(sim::World* world_given)
      : world{world_given},
        network{world->network()},
        buffers{network},
        operations{network, buffers} {
    network.kernels.push_back(this);
  }
  ~Implementation() { std::erase(network.kernels, this); }

  [[nodiscard]] bool names(const sim::Socket& socket) const override {
    return operations.names(socket);
  }
  [[nodiscard]] bool can_go_on() const override {
    return quiet_mark != network.stirred || !shown.empty() || operations.can_go_on();
  }
  [[nodiscard]] std::optional<Instant> next_event() const override {
    auto next = operations.next_event();
    if (sleeps_until && (!next || *sleeps_until < *next)) next = sleeps_until;
    return next;
  }
  // Shows what has completed: one operation's in order, the operations in any.
  void show() {
    auto& done = operations.completed();
    std::vector<Completion> later;
    while (!done.empty()) {
      const auto name = done[network.random.below(done.size())].user_data;
      const auto first = std::find_if(done.begin(), done.end(),
                                      [&](const auto& c) { return c.user_data == name; });
      const bool held = std::any_of(later.begin(), later.end(),
                                    [&](const auto& c) { return c.user_data == name; });
      if (held || network.random.chance(network.faults.hold)) {
        later.push_back(*first);
      } else {
        shown.push_back(*first);
      }
      done.erase(first);
    }
    done = std::move(later);
  }

  sim::World* world;
  sim::Network& network;
  sim::BufferRings buffers;
  sim::Operations operations;
  Capabilities capabilities;
  KernelCounters counters;
  std::deque<Completion> shown;
  std::optional<Instant> sleeps_until;
  std::uint64_t quiet_mark =
      ~std::uint64_t{0};  // what the network had seen when nothing came of an enter
};

Kernel::Kernel() : implementation_{std::make_unique<Implementation>(sim::World::current())} {}
Kernel::~Kernel() = default;

std::optional<SetupError> Kernel::open(const KernelOptions& options) {
  if (const int error = std::exchange(implementation_->network.open_error, 0); error != 0) {
    return explain_setup_error(error, SetupFacts{});
  }
  implementation_->capabilities = options.allowed;
  return std::nullopt;
}

const Capabilities& Kernel::capabilities() const { return implementation_->capabilities; }
const KernelCounters& Kernel::counters() const { return implementation_->counters; }

void Kernel::accept(int listener, UserData user_data) {
  implementation_->operations.queue(
      {.kind = Operation::accept, .descriptor = listener, .name = user_data.pack()});
}

void Kernel::connect(int socket, const sockaddr* address, socklen_t size, UserData user_data) {
  implementation_->network.take_in(socket);
  implementation_->operations.queue({.kind = Operation::connect,
                                     .descriptor = socket,
                                     .name = user_data.pack(),
                                     .address = address,
                                     .address_size = size});
}

void Kernel::receive(int socket, std::uint16_t group, ReceiveKind kind, std::uint32_t credit,
                     UserData user_data) {
  if (kind == ReceiveKind::multishot && credit > 0 &&
      !implementation_->capabilities.credit_receive) {
    implementation_->network.fail("a credit receive on a kernel that has none");
  }
  implementation_->operations.queue({.kind = Operation::receive,
                                     .descriptor = socket,
                                     .name = user_data.pack(),
                                     .multishot = kind == ReceiveKind::multishot,
                                     .group = group,
                                     .credit = credit});
}

void Kernel::send(int socket, std::span<const std::byte> bytes, UserData user_data) {
  implementation_->operations.queue(
      {.kind = Operation::send,
       .descriptor = socket,
       .name = user_data.pack(),
       .single = {const_cast<std::byte*>(bytes.data()), bytes.size()}});
}

void Kernel::send_gather(int socket, std::span<const iovec> ranges, UserData user_data) {
  implementation_->operations.queue(
      {.kind = Operation::send, .descriptor = socket, .name = user_data.pack(), .gather = ranges});
}

void Kernel::read(int file, std::span<std::byte> into, UserData user_data) {
  implementation_->operations.queue(
      {.kind = Operation::wake, .descriptor = file, .name = user_data.pack(), .into = into});
}

void Kernel::cancel(UserData target, UserData user_data) {
  implementation_->operations.queue(
      {.kind = Operation::cancel, .name = user_data.pack(), .target = target.pack()});
}

void Kernel::enter(const Wait& wait) {
  auto& self = *implementation_;
  ++self.counters.enters;
  self.operations.start();
  self.network.pass_time();
  self.sleeps_until.reset();
  const bool interrupted = self.network.random.chance(self.network.faults.spurious);
  if (!interrupted) {
    self.operations.go_on();
    self.show();
  }
  // Whoever does not sleep, wakes to a timer or has completions may do anything next.
  const bool timer_due = wait.until && *wait.until <= self.network.now;
  if (interrupted || wait.poll_only || timer_due || !self.shown.empty()) return self.network.stir();
  self.sleeps_until = wait.until;
  self.quiet_mark = self.network.stirred;
  self.network.jump_if_all_quiet();
}

std::size_t Kernel::reap(std::span<Completion> into) {
  auto& self = *implementation_;
  std::size_t count = 0;
  while (count < into.size() && !self.shown.empty()) {
    const Completion& completion = into[count++] = self.shown.front();
    for (const std::uint64_t word :
         {completion.user_data, std::uint64_t{static_cast<std::uint32_t>(completion.result)},
          std::uint64_t{completion.flags}}) {
      self.network.digest = (self.network.digest ^ word) * 1099511628211ULL;
    }
    self.shown.pop_front();
  }
  return count;
}

int Kernel::register_buffers(std::uint16_t group, std::uint32_t entries) {
  return implementation_->buffers.add_group(group, entries);
}

void Kernel::provide(std::uint16_t group, std::byte* memory, std::uint32_t size, std::uint16_t id) {
  implementation_->buffers.provide(group, memory, size, id);
}

void Kernel::publish(std::uint16_t group) { implementation_->buffers.publish(group); }

int Kernel::shutdown(int socket, int how) { return implementation_->network.shutdown(socket, how); }

void Kernel::close(int file) { implementation_->network.close_descriptor(file); }

// The simulated kernel always reports it; what the real one misses is not simulated.
bool Kernel::multishot_reports_end(int) const { return true; }

int Kernel::accept_now(int listener) {
  auto& network = implementation_->network;
  auto& backlog = network.get(listener).backlog;
  if (backlog.empty()) return -1;
  const int descriptor = network.give_descriptor(*backlog.front());
  if (descriptor < 0) return -1;
  backlog.pop_front();
  return descriptor;
}

int Kernel::reserve_descriptor() {
  auto& network = implementation_->network;
  if (network.descriptors.size() >= network.descriptor_limit) return -1;
  return network.give_descriptor(network.make(sim::Socket::Kind::reserve));
}

Instant Kernel::now() const { return implementation_->network.now; }

}  // namespace ring
