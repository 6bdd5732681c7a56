#include "tests/ring_support/relay.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace ring_test {

Relay::Relay(ring::Loop& loop, const RelayOptions& options)
    : client{loop}, server{loop}, loop_{loop}, options_{options} {
  deadline_.owner = this;
  deadline_.kind = relay_timer_kind;
  hook(client, server, true);
  hook(server, client, false);
  client.closed = [this] { client_closed_ = true; };
  server.closed = [this] { server_closed_ = true; };
  server.connected = [this](int error) {
    if (error != 0) {
      server.close();
      end(server, client, false, error);
    }
  };
}

void Relay::hook(HookedStream& from, HookedStream& to, bool is_client) {
  from.received = [&](ring::Slice slice) {
    if (!to.is_open()) dropped_ = true;
    to.send(std::move(slice));
    if (to.queued_bytes() > options_.queue_high) from.receive_wanted(false);
  };
  to.sent = [&] {
    if (to.queued_bytes() < options_.queue_low && from.is_open()) from.receive_wanted(true);
  };
  from.ended = [&, is_client](int error) { end(from, to, is_client, error); };
  from.send_failed = [&, is_client](int error) {
    // The peer takes nothing any more: it has read enough of us.
    dropped_ = true;
    from.close();
    end(from, to, is_client, error);
  };
}

void Relay::end(HookedStream& from, HookedStream& to, bool is_client, int error) {
  if (!first_end_) first_end_ = End{is_client, error};
  from.finish();
  to.finish();
  if (!finished() && !deadline_.pending()) start_lingering();
}

void Relay::start_lingering() { loop_.timers().set(deadline_, loop_.now() + options_.linger); }

void Relay::expired(ring::Timer& timer) {
  auto& relay = *static_cast<Relay*>(timer.owner);
  if (!relay.finished()) relay.close();
}

void Relay::open(int client_socket, int server_socket) {
  open_client(client_socket);
  server_closed_ = false;
  server.open(server_socket, options_.server);
  server.receive_wanted(true);
}

void Relay::open_client(int socket) {
  client_closed_ = false;
  client.open(socket, options_.client);
  client.receive_wanted(true);
}

void Relay::connect_server(int socket, const sockaddr* address, socklen_t size) {
  server_closed_ = false;
  server.connect(socket, address, size, options_.server);
  server.receive_wanted(true);
}

void Relay::close() {
  dropped_ = true;
  client.close();
  server.close();
}

std::size_t Relay::queue_bound(const ring::ReceiveOptions& from) const {
  // The buffer that crossed the mark, and one credit that was already given.
  const std::size_t buffer = loop_.group(from.group).size();
  return options_.queue_high + buffer + std::max<std::size_t>(from.credit, buffer);
}

std::string Relay::describe() const {
  const auto side = [](const HookedStream& stream) {
    return std::string{stream.is_idle()   ? "idle"
                       : stream.is_open() ? "open"
                                          : "ending"} +
           (stream.is_quiet() ? " quiet" : "") + " queued=" + std::to_string(stream.queued_bytes());
  };
  return "relay: client " + side(client) + ", server " + side(server) + '\n';
}

void Relay::check_bounds() const {
  if (server.queued_bytes() > queue_bound(options_.client))
    FAIL("queue to the server: " << server.queued_bytes());
  if (client.queued_bytes() > queue_bound(options_.server))
    FAIL("queue to the client: " << client.queued_bytes());
}

}  // namespace ring_test
