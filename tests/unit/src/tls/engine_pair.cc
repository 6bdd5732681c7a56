#include "tests/unit/src/tls/engine_pair.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

namespace pgring::test {
namespace {

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

std::chrono::sys_seconds now() {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

Authority::Authority(KeyKind key)
    : ca_{issue({.common_names = {"test CA"}, .ca = true})},
      server_{issue({.common_names = {"db.example"}, .key = key}, &ca_)},
      client_{issue({.common_names = {"alice"}, .organization = "Example", .key = key}, &ca_)},
      ca_file_{folder_.write("ca.pem", pem(ca_))} {}

void Authority::use(TlsOptions& options, const Identity& identity, std::string_view chain) const {
  const std::string name = std::to_string(count_++);
  options.cert_file = folder_.write(name + ".pem", pem(identity) + std::string{chain});
  options.key_file = folder_.write(name + ".key", key_pem(identity));
}

TlsOptions Authority::for_clients() const {
  TlsOptions options{.mode = TlsMode::require};
  use(options, server_);
  return options;
}

TlsOptions Authority::for_servers(TlsMode mode) const { return {.mode = mode}; }

std::shared_ptr<const TlsContext> context(TlsSide side, const TlsOptions& options) {
  auto loaded = TlsContext::load(side, options, now());
  if (!loaded) FAIL(loaded.error().message);
  return *loaded;
}

std::string drained(TlsEngine& engine) {
  std::string all;
  std::array<std::byte, 1000> some{};
  while (const std::size_t count = engine.drain(some)) all += text_of(std::span{some}.first(count));
  CHECK(!engine.wants_write());
  return all;
}

std::string fed(TlsEngine& engine, std::string_view cipher, std::size_t piece, Place place,
                std::size_t room) {
  std::string plain;
  while (!cipher.empty()) {
    const std::string_view part = cipher.substr(0, piece);
    cipher.remove_prefix(part.size());
    std::vector<std::byte> buffer(part.size());
    std::ranges::copy(std::as_bytes(std::span{part}), buffer.begin());
    std::span<const std::byte> input{buffer};
    std::vector<std::byte> elsewhere(room);
    // A buffer may be decrypted where it is once; what has no room there goes elsewhere.
    std::span<std::byte> into = place == Place::in_place ? std::span{buffer} : std::span{elsewhere};
    for (;;) {
      const TlsEngine::Received received = engine.receive(input, into);
      CHECK(received.plain <= into.size());
      CHECK(received.consumed <= input.size());
      if (place == Place::in_place && into.data() == buffer.data())
        CHECK(received.plain <= received.consumed);
      plain += text_of(into.first(received.plain));
      input = input.subspan(received.consumed);
      if (!received.more) break;
      into = elsewhere;
    }
    CHECK(input.empty());
  }
  return plain;
}

std::string sealed(TlsEngine& engine, std::string_view plain, std::size_t room) {
  TlsScratch scratch{};
  std::string cipher;
  std::vector<std::byte> buffer(room);
  while (!plain.empty() || engine.wants_write()) {
    const iovec range{const_cast<char*>(plain.data()), plain.size()};
    const TlsEngine::Sent sent = engine.send({&range, 1}, buffer, scratch);
    REQUIRE(sent.cipher <= buffer.size());
    REQUIRE(sent.cipher > 0);
    cipher += text_of(std::span{buffer}.first(sent.cipher));
    plain.remove_prefix(sent.taken);
  }
  return cipher;
}

EnginePair::EnginePair(const TlsOptions& towards_server, const TlsOptions& towards_clients,
                       std::string host, TlsEngine::Start start)
    : client{TlsEngine::connect(context(TlsSide::to_servers, towards_server), std::move(host),
                                start)},
      server{TlsEngine::accept(context(TlsSide::to_clients, towards_clients), start)} {}

void EnginePair::shake_hands(std::size_t piece) {
  while (client->wants_write() || server->wants_write()) {
    CHECK(fed(*server, drained(*client), piece).empty());
    CHECK(fed(*client, drained(*server), piece).empty());
  }
}

}  // namespace pgring::test
