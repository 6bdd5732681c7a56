#include "src/tls/tls_engine.h"

#include <doctest/doctest.h>
#include <openssl/err.h>

#include <algorithm>
#include <random>
#include <thread>
#include <vector>

#include "tests/unit/src/tls/engine_pair.h"

namespace pgring::test {
namespace {

std::string noise(std::size_t size, unsigned seed = 1) {
  std::minstd_rand random{seed};
  std::string text(size, '\0');
  std::ranges::generate(text, [&] { return static_cast<char>(random()); });
  return text;
}

TlsOptions only(TlsOptions options, TlsVersion version) {
  options.min_version = options.max_version = version;
  return options;
}

constexpr TlsVersion versions[] = {TlsVersion::tls1_2, TlsVersion::tls1_3};

EnginePair opened(const Authority& authority, TlsVersion version = TlsVersion::tls1_3) {
  EnginePair pair{only(authority.for_servers(TlsMode::require), version), authority.for_clients()};
  pair.shake_hands();
  REQUIRE(pair.open());
  return pair;
}

TEST_CASE(
    "tls engine: two engines agree, exchange data and close, in each version and with each key") {
  for (const KeyKind key : {KeyKind::ec, KeyKind::rsa, KeyKind::ed25519}) {
    const Authority authority{key};
    for (const TlsVersion version : versions) {
      EnginePair pair = opened(authority, version);
      CHECK(pair.client->version() == (version == TlsVersion::tls1_2 ? "TLSv1.2" : "TLSv1.3"));
      CHECK(pair.client->cipher() == pair.server->cipher());
      CHECK(pair.server->cipher_bits() >= 128);
      CHECK(pair.server->description() ==
            std::string{pair.server->version()} + "/" + std::string{pair.server->cipher()});
      CHECK(pair.server->server_name() == "db.example");
      CHECK(fed(*pair.server, sealed(*pair.client, "select 1"), 100000) == "select 1");
      CHECK(fed(*pair.client, sealed(*pair.server, "one row"), 100000) == "one row");

      pair.client->close();
      CHECK(pair.client->state() == TlsEngine::State::closing);
      CHECK(fed(*pair.server, drained(*pair.client), 100000).empty());
      CHECK(pair.server->state() == TlsEngine::State::closing);
      CHECK(pair.server->peer_closed());
      pair.server->close();
      CHECK(pair.server->state() == TlsEngine::State::closed);
      CHECK(fed(*pair.client, drained(*pair.server), 100000).empty());
      CHECK(pair.client->state() == TlsEngine::State::closed);
      CHECK(pair.client->failure().empty());
      CHECK(pair.server->failure().empty());
    }
  }
}

TEST_CASE("tls engine: cut at every byte, handshake and data are the same") {
  const Authority authority;
  const std::string text = "a message that is cut";
  const std::string expected = text + "second" + text;
  for (const TlsVersion version : versions) {
    // Byte by byte throughout.
    {
      EnginePair pair{only(authority.for_servers(TlsMode::require), version),
                      authority.for_clients()};
      pair.shake_hands(1);
      REQUIRE(pair.open());
      CHECK(fed(*pair.server, sealed(*pair.client, text), 1) == text);
    }
    // Two pieces, cut anywhere, of three records; decrypted where they are and elsewhere.
    EnginePair pair = opened(authority, version);
    for (const Place place : {Place::apart, Place::in_place}) {
      for (std::size_t cut = 1;; ++cut) {
        CAPTURE(cut);
        std::string cipher = sealed(*pair.client, text);
        cipher += sealed(*pair.client, "second");
        cipher += sealed(*pair.client, text);
        std::string plain = fed(*pair.server, cipher.substr(0, cut), 100000, place);
        if (cut < cipher.size()) plain += fed(*pair.server, cipher.substr(cut), 100000, place);
        CAPTURE(pair.server->failure());
        REQUIRE(plain == expected);
        if (cut >= cipher.size()) break;
      }
    }
  }
}

TEST_CASE("tls engine: much data passes whole through any sizes of buffers, in place too") {
  const Authority authority;
  const std::string text = noise(100000);
  for (const TlsVersion version : versions) {
    EnginePair pair = opened(authority, version);
    for (const Place place : {Place::apart, Place::in_place}) {
      for (const std::size_t room :
           {std::size_t{129}, std::size_t{1000}, TlsEngine::record_room, std::size_t{100000}}) {
        if (room == 129 && place == Place::in_place)
          continue;  // a byte per record: long, and no news
        const std::string_view part =
            std::string_view{text}.substr(0, room == 129 ? 3000 : text.size());
        for (const std::size_t piece :
             {std::size_t{77}, std::size_t{4096}, std::size_t{16384 + 22}, std::size_t{32768}}) {
          CAPTURE(room);
          CAPTURE(piece);
          REQUIRE(fed(*pair.server, sealed(*pair.client, part, room), piece, place) == part);
          REQUIRE(fed(*pair.client, sealed(*pair.server, part, room), piece, place, 100) == part);
        }
      }
    }
  }
}

// Where records begin: their lengths stand in the bytes 3 and 4.
std::vector<std::size_t> record_sizes(std::string_view cipher) {
  std::vector<std::size_t> sizes;
  while (!cipher.empty()) {
    const auto byte = [&](std::size_t i) {
      return static_cast<std::size_t>(static_cast<unsigned char>(cipher[i]));
    };
    sizes.push_back(5 + (byte(3) << 8U) + byte(4));
    cipher.remove_prefix(sizes.back());
  }
  return sizes;
}

TEST_CASE("tls engine: small messages go together in one record, large ones in full records") {
  const Authority authority;
  EnginePair pair = opened(authority);
  TlsScratch scratch{};
  const std::string large = noise(40000);
  std::vector<std::string> parts;
  for (int i = 0; i < 50; ++i) parts.push_back(noise(static_cast<std::size_t>(i), 7));
  parts.push_back(large);
  parts.push_back("end");
  std::vector<iovec> ranges;
  std::string all;
  for (auto& part : parts) {
    ranges.push_back({part.data(), part.size()});
    all += part;
  }
  std::vector<std::byte> buffer(60000);
  const TlsEngine::Sent sent = pair.server->send(ranges, buffer, scratch);
  CHECK(sent.taken == all.size());
  const std::string cipher{reinterpret_cast<const char*>(buffer.data()), sent.cipher};
  constexpr std::size_t overhead = 5 + 1 + 16;  // TLS 1.3, AES-GCM
  const std::size_t full = TlsEngine::record_plain_max;
  CHECK(record_sizes(cipher) ==
        std::vector{full + overhead, full + overhead, all.size() - 2 * full + overhead});
  CHECK(fed(*pair.client, cipher, 4096, Place::in_place) == all);
}

TEST_CASE("tls engine: what is taken fits the room that is given, and the rest can follow") {
  const Authority authority;
  EnginePair pair = opened(authority);
  TlsScratch scratch{};
  std::string text = noise(1000);
  const iovec range{text.data(), text.size()};
  std::vector<std::byte> buffer(TlsEngine::record_overhead_max + 100);
  const TlsEngine::Sent sent = pair.client->send({&range, 1}, buffer, scratch);
  CHECK(sent.taken == 100);
  CHECK(sent.cipher <= buffer.size());
  CHECK(!pair.client->wants_write());
  const std::string first{reinterpret_cast<const char*>(buffer.data()), sent.cipher};
  CHECK(fed(*pair.server, first + sealed(*pair.client, std::string_view{text}.substr(100)), 50) ==
        text);
}

TEST_CASE("tls engine: nothing is sent before the handshake is over or after close()") {
  const Authority authority;
  TlsScratch scratch{};
  std::vector<std::byte> buffer(TlsEngine::record_room);
  std::string text = "select 1";
  const iovec range{text.data(), text.size()};
  EnginePair early{authority.for_servers(TlsMode::require), authority.for_clients()};
  CHECK(early.client->send({&range, 1}, buffer, scratch).taken == 0);
  CHECK(early.server->send({&range, 1}, buffer, scratch).cipher == 0);

  EnginePair pair = opened(authority);
  pair.client->close();
  const TlsEngine::Sent sent = pair.client->send({&range, 1}, buffer, scratch);
  CHECK(sent.taken == 0);
  CHECK(sent.cipher > 0);  // the close_notify that waited
  // The other side may go on until it closes too.
  const std::string notice{reinterpret_cast<const char*>(buffer.data()), sent.cipher};
  CHECK(fed(*pair.server, notice, 100).empty());
  CHECK(fed(*pair.client, sealed(*pair.server, "last words"), 100) == "last words");
}

TEST_CASE("tls engine: what comes behind a close_notify is dropped") {
  const Authority authority;
  EnginePair pair = opened(authority);
  const std::string data = sealed(*pair.client, "kept");
  pair.client->close();
  const std::string notice = drained(*pair.client);
  CHECK(fed(*pair.server, data + notice + data + "garbage", 100000) == "kept");
  CHECK(pair.server->state() == TlsEngine::State::closing);
  CHECK(pair.server->failure().empty());
  CHECK(fed(*pair.server, "more garbage", 3).empty());
}

TEST_CASE("tls engine: an error that somebody else left in OpenSSL's queue is not taken for ours") {
  const Authority authority;
  EnginePair pair{authority.for_servers(TlsMode::require), authority.for_clients()};
  const auto leave_error = [] { ERR_raise(ERR_LIB_SSL, ERR_R_INTERNAL_ERROR); };
  while (pair.client->wants_write() || pair.server->wants_write()) {
    const std::string flight = drained(*pair.client);
    leave_error();
    CHECK(fed(*pair.server, flight, 100000).empty());
    const std::string answer = drained(*pair.server);
    leave_error();
    CHECK(fed(*pair.client, answer, 100000).empty());
  }
  REQUIRE(pair.open());
  leave_error();
  const std::string cipher = sealed(*pair.client, "data");
  leave_error();
  // Cut, so that OpenSSL is asked why there is nothing.
  CHECK(fed(*pair.server, cipher.substr(0, 10), 100).empty());
  leave_error();
  CHECK(fed(*pair.server, cipher.substr(10), 100) == "data");
  leave_error();
  pair.server->close();
  CHECK(pair.server->failure().empty());
  CHECK(ERR_peek_error() == 0);
}

TEST_CASE("tls engine: closing while handshaking ends it without a word") {
  const Authority authority;
  EnginePair pair{authority.for_servers(TlsMode::require), authority.for_clients()};
  pair.server->close();
  CHECK(pair.server->state() == TlsEngine::State::closed);
  CHECK(!pair.server->wants_write());
  CHECK(fed(*pair.server, drained(*pair.client), 100).empty());
  CHECK(!pair.server->wants_write());
}

TEST_CASE("tls engine: data that comes together with the end of the handshake is read") {
  const Authority authority;
  for (const Place place : {Place::apart, Place::in_place}) {
    EnginePair pair{authority.for_servers(TlsMode::require), authority.for_clients()};
    CHECK(fed(*pair.server, drained(*pair.client), 100000).empty());
    CHECK(fed(*pair.client, drained(*pair.server), 100000).empty());
    REQUIRE(pair.client->is_open());
    const std::string finished = drained(*pair.client);
    CHECK(fed(*pair.server, finished + sealed(*pair.client, "at once"), 100000, place) ==
          "at once");
  }
}

TEST_CASE("tls engine: an engine goes on on another thread, and after its context was replaced") {
  const Authority authority;
  EnginePair pair = opened(authority);  // holds the only shares of its contexts
  std::string got;
  std::thread{[&] { got = fed(*pair.server, sealed(*pair.client, "from there"), 7); }}.join();
  CHECK(got == "from there");
  CHECK(fed(*pair.client, sealed(*pair.server, "and back"), 7) == "and back");
}

TEST_CASE("tls engine: both sides have the same channel binding, of the server's certificate") {
  const Authority authority;
  EnginePair pair = opened(authority);
  const ChannelBinding ours = pair.server->channel_binding();
  const ChannelBinding theirs = pair.client->channel_binding();
  CHECK(ours.bytes().size() == 32);
  CHECK(std::ranges::equal(ours.bytes(), theirs.bytes()));
}

TEST_CASE("tls engine: record buffers of a resting connection can be given back, and come again") {
  const Authority authority;
  for (const TlsVersion version : versions) {
    EnginePair pair = opened(authority, version);
    CHECK(fed(*pair.server, sealed(*pair.client, "one"), 100) == "one");
    CHECK(pair.server->release_buffers());
    CHECK(pair.client->release_buffers());
    CHECK(pair.server->release_buffers());  // again: nothing left to do
    CHECK(fed(*pair.server, sealed(*pair.client, "two"), 100) == "two");
    CHECK(fed(*pair.client, sealed(*pair.server, "three"), 100) == "three");
    // Not in the middle of a record.
    const std::string cipher = sealed(*pair.client, "four");
    CHECK(fed(*pair.server, cipher.substr(0, 9), 100).empty());
    CHECK(!pair.server->release_buffers());
    CHECK(fed(*pair.server, cipher.substr(9), 100) == "four");
    CHECK(pair.server->release_buffers());
  }
}

}  // namespace
}  // namespace pgring::test
