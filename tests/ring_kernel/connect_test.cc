#include <doctest/doctest.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "tests/ring_kernel/rig.h"

namespace ring_test {
namespace {

TEST_CASE("stream: what is asked for while connecting happens once connected") {
  // receive_wanted() and send() before the connection stands; the address dies before the turn.
  for (const Family family : {Family::tcp, Family::unix_socket}) {
    Rig rig;
    const File listener = listening_socket(family);
    HookedStream stream{rig.loop};
    std::string received;
    int connects = 0;
    stream.connected = [&](int error) {
      CHECK(error == 0);
      ++connects;
    };
    stream.received = [&](ring::Slice slice) { received += text_of(slice); };
    stream.send_failed = [&](int error) { FAIL("send failed: " << error); };
    bool closed = false;
    stream.closed = [&] { closed = true; };
    {
      auto address = address_of(listener);
      stream.connect(unconnected_socket(family).release(), address.get(), address.size, {});
      std::memset(&address.storage, 0xee, sizeof address.storage);
    }
    stream.receive_wanted(true);
    stream.send(ring::Slice::copy_of("hello"));
    File peer;
    std::string peer_got;
    const auto pump = [&] {
      if (!peer.valid()) {
        peer = File{::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK)};
        if (peer.valid()) write_some(peer, "world");
      } else {
        read_some(peer, peer_got);
      }
    };
    set_nonblocking(listener);
    REQUIRE(rig.run([&] { return received == "world" && peer_got == "hello"; }, pump));
    CHECK(connects == 1);
    stream.close();
    REQUIRE(rig.run([&] { return closed; }));
  }
}

TEST_CASE("stream: finish() while connecting sends what is queued and ends") {
  // As a cancel request does: connect, send, finish.
  Rig rig;
  const File listener = listening_socket(Family::tcp);
  set_nonblocking(listener);
  HookedStream stream{rig.loop};
  bool closed = false;
  stream.closed = [&] { closed = true; };
  const auto address = address_of(listener);
  stream.connect(unconnected_socket(Family::tcp).release(), address.get(), address.size, {});
  stream.send(ring::Slice::copy_of("cancel"));
  stream.finish();
  File peer;
  std::string peer_got;
  bool peer_open = true;
  const auto pump = [&] {
    if (!peer.valid() && peer_open)
      peer = File{::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK)};
    if (peer.valid() && !read_some(peer, peer_got)) {
      peer.reset();
      peer_open = false;
    }
  };
  REQUIRE(rig.run([&] { return closed; }, pump));
  CHECK(peer_got == "cancel");
}

TEST_CASE("stream: a refused connection is reported once") {
  for (const Family family : {Family::tcp, Family::unix_socket}) {
    Rig rig;
    Address address;
    {
      const File listener = listening_socket(family);
      address = address_of(listener);
    }
    HookedStream stream{rig.loop};
    int error = 0;
    int reports = 0;
    bool closed = false;
    stream.connected = [&](int code) {
      error = code;
      ++reports;
      stream.close();
    };
    stream.closed = [&] { closed = true; };
    stream.connect(unconnected_socket(family).release(), address.get(), address.size, {});
    stream.receive_wanted(true);
    stream.send(ring::Slice::copy_of("never sent"));
    REQUIRE(rig.run([&] { return closed; }));
    CHECK(reports == 1);
    CHECK(error == ECONNREFUSED);
  }
}

TEST_CASE("stream: close() ends a connection attempt that hangs") {
  // A full backlog: TCP drops the SYN, a Unix connect blocks.
  for (const Family family : {Family::tcp, Family::unix_socket}) {
    Rig rig;
    const File listener = listening_socket(family, 0);
    const auto address = address_of(listener);
    std::vector<File> fillers;
    for (int i = 0; i < 4; ++i) {
      fillers.push_back(unconnected_socket(family));
      set_nonblocking(fillers.back());
      (void)::connect(fillers.back().get(), address.get(), address.size);
    }
    HookedStream stream{rig.loop};
    int reports = 0;
    bool closed = false;
    stream.connected = [&](int) { ++reports; };
    stream.closed = [&] { closed = true; };
    stream.connect(unconnected_socket(family).release(), address.get(), address.size, {});
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds{50};
    REQUIRE(rig.run([&] { return std::chrono::steady_clock::now() > until; }));
    CHECK(reports == 0);
    stream.close();
    REQUIRE(rig.run([&] { return closed; }));
    CHECK(reports == 0);
  }
}

}  // namespace
}  // namespace ring_test
