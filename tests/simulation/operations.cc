#include "tests/simulation/operations.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace sim {

using ring::Completion;
using ring::Operation;

void Operations::queue(const Request& request) {
  if (request.kind != Operation::cancel && request.kind != Operation::wake)
    (void)network_.get(request.descriptor);
  queued_.push_back(request);
  network_.stir();
}

void Operations::start() {
  for (const Request& request : std::exchange(queued_, {})) {
    auto& running = *running_.emplace_back(std::make_unique<Running>());
    running.request = request;
    if (request.kind != Operation::cancel && request.kind != Operation::wake) {
      running.socket = &network_.get(request.descriptor);
      const bool transfer = request.kind == Operation::send || request.kind == Operation::receive;
      if (transfer && running.socket->kind != Socket::Kind::stream)
        network_.fail("a transfer on a socket that is not connected");
    }
    for (const auto& other : running_) {
      const bool same =
          other.get() != &running && !other->finished && other->request.name == request.name;
      if (same && request.kind != Operation::cancel)
        network_.fail("two operations of one name are in flight");
    }
    if (request.kind == Operation::send) start_send(running);
    if (request.kind == Operation::connect) start_connect(running);
  }
}

void Operations::start_send(Running& running) {
  if (running.socket->sending) network_.fail("two sends are in flight on one socket");
  running.socket->sending = true;
  const Request& request = running.request;
  if (request.gather.empty()) {
    running.ranges.push_back(request.single);
  } else {
    running.ranges.assign(request.gather.begin(), request.gather.end());
  }
  for (const iovec& range : running.ranges) {
    if (range.iov_len == 0) network_.fail("an empty range is sent");
    buffers_.check_not_ours(static_cast<const std::byte*>(range.iov_base), range.iov_len);
    running.copy.append(static_cast<const char*>(range.iov_base), range.iov_len);
  }
}

void Operations::start_connect(Running& running) {
  running.address = Network::key_of(running.request.address, running.request.address_size);
  const auto delay_max = static_cast<std::uint64_t>(network_.faults.connect_delay_max.count());
  running.ready_at =
      network_.now +
      ring::Duration{static_cast<std::int64_t>(network_.random.below(delay_max + 1))};
}

void Operations::post(Running& running, std::int32_t result, std::uint32_t flags) {
  completed_.push_back({running.request.name, result, flags});
  network_.stir();
}

void Operations::finish(Running& running, std::int32_t result) {
  post(running, result, 0);
  running.finished = true;
}

bool Operations::names(const Socket& socket) const {
  const auto queued = [&](const Request& request) {
    return network_.find(request.descriptor) == &socket;
  };
  const auto in_flight = [&](const auto& running) { return running->socket == &socket; };
  return std::any_of(queued_.begin(), queued_.end(), queued) ||
         std::any_of(running_.begin(), running_.end(), in_flight);
}

bool Operations::can_go_on() const {
  const auto ready = [&](const auto& running) { return is_ready(*running); };
  return !queued_.empty() || !completed_.empty() ||
         std::any_of(running_.begin(), running_.end(), ready);
}

std::optional<ring::Instant> Operations::next_event() const {
  std::optional<ring::Instant> next;
  for (const auto& running : running_) {
    if (running->request.kind != Operation::connect || is_ready(*running)) continue;
    if (const auto server = network_.servers.find(running->address);
        server != network_.servers.end() && !server->second)
      continue;
    if (!next || running->ready_at < *next) next = running->ready_at;
  }
  return next;
}

bool Operations::is_ready(const Running& running) const {
  switch (running.request.kind) {
    case Operation::receive:
      return running.socket->readable() > 0 || running.socket->at_end();
    case Operation::send: {
      const Socket& socket = *running.socket;
      return socket.peer == nullptr || socket.write_shut || socket.was_reset ||
             socket.peer->closed || socket.peer->space() > 0;
    }
    case Operation::connect: {
      const auto server = network_.servers.find(running.address);
      const bool silent = server != network_.servers.end() && !server->second;
      return !silent && network_.now >= running.ready_at;
    }
    case Operation::accept:
      return !running.socket->backlog.empty();
    case Operation::wake: {
      pollfd file{running.request.descriptor, POLLIN, 0};
      return ::poll(&file, 1, 0) == 1;
    }
    case Operation::cancel:
      return true;
    case Operation::stop:  // names a cancel's completion only
    case Operation::none:
      break;
  }
  network_.fail("an operation of no kind");
}

void Operations::go_on() {
  std::vector<Running*> order;
  for (const auto& running : running_) order.push_back(running.get());
  network_.random.shuffle(order);
  for (Running* const running : order) {
    if (running->finished || !is_ready(*running)) continue;
    if (!network_.random.chance(network_.faults.delay)) go_on(*running);
  }
  std::erase_if(running_, [](const auto& running) { return running->finished; });
}

void Operations::go_on(Running& running) {
  const bool has_peer = running.socket != nullptr && running.socket->peer != nullptr;
  if (has_peer && network_.random.chance(network_.faults.reset)) network_.reset(*running.socket);
  switch (running.request.kind) {
    case Operation::receive:
      return receive(running);
    case Operation::send:
      return send(running);
    case Operation::connect:
      return connect(running);
    case Operation::accept:
      return accept(running);
    case Operation::cancel:
      return cancel(running);
    case Operation::wake:
      return wake(running);
    case Operation::stop:  // names a cancel's completion only
    case Operation::none:
      break;
  }
  network_.fail("an operation of no kind");
}

void Operations::receive(Running& running) {
  // As many as the kernel takes in one pass, at most.
  for (int tries = 0; tries < 32; ++tries) {
    if (!receive_once(running)) return;
    if (network_.random.chance(300)) return;
  }
}

bool Operations::receive_once(Running& running) {
  Socket& socket = *running.socket;
  const Request& request = running.request;
  if (socket.readable() == 0) {
    if (!socket.at_end()) return false;
    // Without a buffer the kernel does not even find out that it is the end.
    const bool buffer =
        buffers_.any_free(request.group) && !network_.random.chance(network_.faults.no_buffer);
    finish(running, !buffer ? -ENOBUFS : socket.was_reset ? -ECONNRESET : 0);
    return false;
  }
  if (!buffers_.any_free(request.group) || network_.random.chance(network_.faults.no_buffer)) {
    finish(running, -ENOBUFS);
    return false;
  }
  std::size_t size = std::min<std::size_t>(buffers_.next_size(request.group), socket.readable());
  const bool credited = request.multishot && request.credit > 0;
  if (credited) size = std::min<std::size_t>(size, request.credit - running.total);
  if (network_.random.chance(300)) size = network_.random.between(1, size);
  const std::string bytes = network_.read(socket, size);
  running.total += static_cast<std::uint32_t>(size);
  const std::uint32_t buffer_flags =
      std::uint32_t{buffers_.fill(request.group, bytes)} << 16 | Completion::flag_buffer;
  const bool last = !request.multishot || (credited && running.total >= request.credit) ||
                    network_.random.chance(network_.faults.early_end);
  post(running, static_cast<std::int32_t>(size), buffer_flags | (last ? 0 : Completion::flag_more));
  running.finished = last;
  return !last;
}

void Operations::send(Running& running) {
  Socket& socket = *running.socket;
  while (!running.ranges.empty()) {
    iovec& range = running.ranges.front();
    std::size_t size = range.iov_len;
    if (network_.random.chance(300)) size = network_.random.between(1, size);
    const std::string_view bytes{static_cast<const char*>(range.iov_base), size};
    if (bytes != std::string_view{running.copy}.substr(running.total, size)) {
      network_.fail("bytes of a send in flight have changed");
    }
    const long written = network_.write(socket, bytes);
    if (written < 0) {
      socket.sending = false;
      // An error after some bytes shows at the next send only.
      return finish(running, running.total > 0 ? static_cast<std::int32_t>(running.total)
                                               : static_cast<std::int32_t>(written));
    }
    if (written == 0) break;
    running.total += static_cast<std::uint32_t>(written);
    range.iov_base = static_cast<char*>(range.iov_base) + written;
    range.iov_len -= static_cast<std::size_t>(written);
    if (range.iov_len == 0) running.ranges.erase(running.ranges.begin());
    if (network_.random.chance(200)) break;
  }
  const bool cut_short = running.total > 0 && network_.random.chance(network_.faults.short_send);
  if (running.ranges.empty() || cut_short) {
    socket.sending = false;
    return finish(running, static_cast<std::int32_t>(running.total));
  }
}

void Operations::connect(Running& running) {
  const auto listener = network_.listeners.find(running.address);
  const auto server = network_.servers.find(running.address);
  const bool nobody = listener == network_.listeners.end() && server == network_.servers.end();
  if (nobody || network_.random.chance(network_.faults.refuse))
    return finish(running, -ECONNREFUSED);
  Socket& theirs = network_.make(Socket::Kind::stream);
  network_.connect(*running.socket, theirs);
  finish(running, 0);
  if (listener != network_.listeners.end()) {
    listener->second->backlog.push_back(&theirs);
  } else {
    server->second(Endpoint{network_, theirs});
  }
}

void Operations::accept(Running& running) {
  auto& backlog = running.socket->backlog;
  while (!backlog.empty()) {
    const int descriptor = network_.random.chance(network_.faults.no_descriptor)
                               ? -EMFILE
                               : network_.give_descriptor(*backlog.front());
    if (descriptor < 0) return finish(running, descriptor);
    backlog.pop_front();
    const bool last = network_.random.chance(network_.faults.early_end);
    post(running, descriptor, last ? 0 : Completion::flag_more);
    running.finished = last;
    if (last || network_.random.chance(300)) return;
  }
}

void Operations::cancel(Running& running) {
  const auto found = std::find_if(running_.begin(), running_.end(), [&](const auto& other) {
    return !other->finished && other->request.name == running.request.target &&
           other.get() != &running;
  });
  if (found == running_.end()) return finish(running, -ENOENT);
  Running& target = **found;
  // Running just now, in a worker thread: it ends by itself when it can, or is interrupted.
  if (is_ready(target) && network_.random.chance(network_.faults.late_cancel)) {
    finish(running, -EALREADY);
    if (target.request.kind == Operation::receive && network_.random.chance(500))
      finish(target, -EINTR);
    return;
  }
  finish(running, 0);
  if (target.request.kind == Operation::send) target.socket->sending = false;
  finish(target, -ECANCELED);
}

void Operations::wake(Running& running) {
  const auto count =
      ::read(running.request.descriptor, running.request.into.data(), running.request.into.size());
  finish(running, count < 0 ? -errno : static_cast<std::int32_t>(count));
}

}  // namespace sim
