// Peers that do not play by the rules. Their side is OpenSSL itself, told to misbehave, or bytes.
#include <doctest/doctest.h>
#include <openssl/err.h>

#include <random>
#include <vector>

#include "tests/unit/src/tls/engine_pair.h"
#include "tests/unit/src/tls/raw_peer.h"

namespace pgring::test {
namespace {

EnginePair opened(const Authority& authority, TlsVersion version = TlsVersion::tls1_3) {
  TlsOptions options = authority.for_servers(TlsMode::require);
  options.max_version = version;
  EnginePair pair{options, authority.for_clients()};
  pair.shake_hands();
  REQUIRE(pair.open());
  return pair;
}

void check_failed(TlsEngine& engine, std::string_view reason) {
  CHECK(engine.state() == TlsEngine::State::failed);
  CHECK(engine.failure() == reason);
  CHECK(ERR_peek_error() == 0);
  // Whatever follows is consumed and means nothing.
  (void)drained(engine);
  CHECK(fed(engine, "\x16\x03\x01 anything", 100).empty());
  CHECK(engine.failure() == reason);
  CHECK(!engine.wants_write());
}

TEST_CASE("tls hostile: what is not TLS is refused, on either side") {
  const Authority authority;
  struct Row {
    std::string_view bytes;
    const char* reason;
  };
  using std::string_view_literals::operator""sv;
  static constexpr Row rows[] = {
      {"GET / HTTP/1.1\r\n\r\n", "http request"},
      {"\0\0\0\x08\x04\xd2\x16\x2f"sv, "wrong version number"},  // another SSLRequest
      {"QQQQQQQQQQQQ", "wrong version number"},
      {"\x16\x03\x01\xff\xff\x01\x01\x01\x01"sv, "packet length too long"},
      {"\x17\x03\x03\x00\x02\x01\x01"sv, "unexpected message"},
      {"\x15\x03\x01\x00\x02\x02\x28"sv, "ssl/tls alert handshake failure"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.reason);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}}) {
      EnginePair pair{authority.for_servers(TlsMode::require), authority.for_clients()};
      CHECK(fed(*pair.server, row.bytes, piece).empty());
      CHECK(pair.server->state() == TlsEngine::State::failed);
      CHECK(pair.server->failure().starts_with("could not accept SSL connection: "));
      (void)drained(*pair.client);
      CHECK(fed(*pair.client, row.bytes, piece).empty());
      CHECK(pair.client->state() == TlsEngine::State::failed);
      CHECK(pair.client->failure().starts_with("SSL error: "));
      CHECK(ERR_peek_error() == 0);
    }
  }
  EnginePair pair{authority.for_servers(TlsMode::require), authority.for_clients()};
  (void)fed(*pair.server, rows[0].bytes, 100);
  check_failed(*pair.server, "could not accept SSL connection: http request");
}

TEST_CASE(
    "tls hostile: a changed byte anywhere in the handshake or the data ends it, and passes "
    "nothing") {
  const Authority authority;
  for (std::size_t at = 0;; ++at) {
    CAPTURE(at);
    EnginePair pair{authority.for_servers(TlsMode::require), authority.for_clients()};
    std::string hello = drained(*pair.client);
    if (at >= hello.size()) break;
    if (at == 2)
      continue;  // the record's version, which means nothing any more (RFC 8446 section 5.1)
    hello[at] = static_cast<char>(hello[at] ^ 0x41);
    CHECK(fed(*pair.server, hello, 100000).empty());
    pair.shake_hands();
    REQUIRE(!pair.open());
  }
  for (std::size_t at = 0;; ++at) {
    EnginePair pair = opened(authority);
    std::string data = sealed(*pair.client, "select 1");
    if (at >= data.size()) break;
    CAPTURE(at);
    data[at] = static_cast<char>(data[at] ^ 0x01);
    CHECK(fed(*pair.server, data, 100000).empty());
    // A longer length only makes it wait for more.
    const bool waits = pair.server->is_open() && (at == 3 || at == 4);
    CHECK((waits || pair.server->state() == TlsEngine::State::failed));
  }
}

TEST_CASE("tls hostile: a record that comes twice, or not in its turn, ends the connection") {
  const Authority authority;
  EnginePair pair = opened(authority);
  const std::string one = sealed(*pair.client, "one");
  CHECK(fed(*pair.server, one + one, 100000) == "one");
  CHECK(pair.server->state() == TlsEngine::State::failed);
  // The alert tells the other side.
  CHECK(fed(*pair.client, drained(*pair.server), 100000).empty());
  CHECK(pair.client->state() == TlsEngine::State::failed);
  CHECK(pair.client->failure().ends_with(" alert bad record mac"));
  EnginePair second = opened(authority);
  (void)sealed(*second.client, "skipped");
  CHECK(fed(*second.server, sealed(*second.client, "two"), 100000).empty());
  check_failed(*second.server, "SSL error: decryption failed or bad record mac");
}

TEST_CASE("tls hostile: an end of stream without a close_notify is told from a proper one") {
  const Authority authority;
  EnginePair pair = opened(authority);
  const std::string cipher = sealed(*pair.client, "cut short");
  CHECK(fed(*pair.server, cipher.substr(0, cipher.size() - 1), 100000).empty());
  CHECK(pair.server->is_open());
  CHECK(!pair.server->peer_closed());
}

TEST_CASE("tls hostile: plaintext behind the handshake is never taken for data") {
  const Authority authority;
  EnginePair pair{authority.for_servers(TlsMode::require), authority.for_clients()};
  CHECK(fed(*pair.server, drained(*pair.client), 100000).empty());
  CHECK(fed(*pair.client, drained(*pair.server), 100000).empty());
  const std::string finished = drained(*pair.client);
  CHECK(fed(*pair.server, finished + std::string{"Q\0\0\0\x0dselect 1\0", 14}, 100000).empty());
  CHECK(pair.server->state() == TlsEngine::State::failed);
}

TEST_CASE("tls hostile: random bytes never pass and never hang") {
  const Authority authority;
  std::minstd_rand random{4711};
  for (int round = 0; round < 300; ++round) {
    EnginePair pair = round % 3 == 0 ? opened(authority)
                                     : EnginePair{authority.for_servers(TlsMode::require),
                                                  authority.for_clients()};
    std::string bytes(random() % 2000, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    if (round % 2 == 0) bytes.insert(0, "\x16\x03\x01");
    CHECK(fed(*pair.server, bytes, 1 + random() % 500, Place::in_place).empty());
    CHECK(fed(*pair.client, bytes, 1 + random() % 500).empty());
    CHECK(ERR_peek_error() == 0);
  }
}

TEST_CASE("tls hostile: a handshake that does not end is ended") {
  const Authority authority;
  // A ClientHello in the smallest records there are: each message byte costs six.
  EnginePair pair{authority.for_servers(TlsMode::require), authority.for_clients()};
  std::string bytes{"\x16\x03\x01\x00\x04\x01\x01\xff\xff", 9};  // a message of 131071 bytes begins
  while (bytes.size() < 300000) bytes.append("\x16\x03\x01\x00\x01\x00", 6);
  CHECK(fed(*pair.server, bytes, 4096).empty());
  CHECK(pair.server->state() == TlsEngine::State::failed);
  check_failed(*pair.server, "SSL handshake is too long");
}

TEST_CASE("tls hostile: renegotiation is refused, asked for by a client or by a server") {
  const Authority authority;
  {
    const auto engine = TlsEngine::accept(context(TlsSide::to_clients, authority.for_clients()),
                                          TlsEngine::Start::negotiated);
    RawPeer client{RawPeer::Role::client, authority, TLS1_2_VERSION};
    client.shake_hands(*engine);
    REQUIRE(engine->is_open());
    client.renegotiate();
    client.exchange(*engine);
    CHECK(client.last_error() == SSL_R_NO_RENEGOTIATION);
    CHECK(engine->state() != TlsEngine::State::handshaking);
  }
  {
    const auto engine =
        TlsEngine::connect(context(TlsSide::to_servers, authority.for_servers(TlsMode::require)),
                           "db.example", TlsEngine::Start::negotiated);
    RawPeer server{RawPeer::Role::server, authority, TLS1_2_VERSION};
    server.shake_hands(*engine);
    REQUIRE(engine->is_open());
    server.renegotiate();
    server.exchange(*engine);
    CHECK(server.last_error() == SSL_R_NO_RENEGOTIATION);
    CHECK(engine->state() != TlsEngine::State::handshaking);
  }
}

TEST_CASE("tls hostile: key updates are followed, but a flood of them without data is not") {
  const Authority authority;
  const auto engine = TlsEngine::accept(context(TlsSide::to_clients, authority.for_clients()),
                                        TlsEngine::Start::negotiated);
  RawPeer client{RawPeer::Role::client, authority, TLS1_3_VERSION};
  client.shake_hands(*engine);
  REQUIRE(engine->is_open());
  for (const bool answer_wanted : {false, true}) {
    for (int i = 0; i < 10; ++i) client.update_key(answer_wanted);
    client.write("after new keys");
    CHECK(client.exchange(*engine) == "after new keys");
    // The answer goes with the next data.
    CHECK(client.receive(sealed(*engine, "and back")) == "and back");
  }
  for (int i = 0; i < 33; ++i) client.update_key(true);
  client.write("never read");
  CHECK(client.exchange(*engine).empty());
  check_failed(*engine, "too many SSL records without data");
}

TEST_CASE("tls hostile: no session can be resumed, in either version") {
  const Authority authority;
  const auto shared = context(TlsSide::to_clients, authority.for_clients());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto engine = TlsEngine::accept(shared, TlsEngine::Start::negotiated);
    RawPeer client{RawPeer::Role::client, authority, version};
    client.shake_hands(*engine);
    REQUIRE(engine->is_open());
    CHECK(client.receive(sealed(*engine, "data")) == "data");
    CHECK(!client.has_ticket());
    const auto again = TlsEngine::accept(shared, TlsEngine::Start::negotiated);
    RawPeer second{RawPeer::Role::client, authority, version};
    second.resume(client);
    second.shake_hands(*again);
    CHECK(again->is_open());
    CHECK(!second.resumed());
  }
}

TEST_CASE("tls hostile: ALPN must be ours where it is used, and be used where TLS comes first") {
  const Authority authority;
  using Start = TlsEngine::Start;
  struct Row {
    const char* alpn;  // of the peer; nullptr: none
    Start start;
    const char* as_server;  // what the engine says as a server; as a client
    const char* as_client;
  };
  static constexpr Row rows[] = {
      {"postgresql", Start::negotiated, "", ""},
      {"postgresql", Start::direct, "", ""},
      {nullptr, Start::negotiated, "", ""},
      {nullptr, Start::direct,
       "received direct SSL connection request without ALPN protocol negotiation extension",
       "direct SSL connection was established without ALPN protocol negotiation extension"},
      {"http/1.1", Start::negotiated, "could not accept SSL connection: no application protocol",
       "SSL connection was established with unexpected ALPN protocol"},
      {"http/1.1", Start::direct, "could not accept SSL connection: no application protocol",
       "SSL connection was established with unexpected ALPN protocol"},
  };
  for (const auto& row : rows) {
    CAPTURE(row.alpn);
    const auto server =
        TlsEngine::accept(context(TlsSide::to_clients, authority.for_clients()), row.start);
    RawPeer raw_client{RawPeer::Role::client, authority, TLS1_3_VERSION, row.alpn};
    raw_client.shake_hands(*server);
    CHECK(server->failure() == row.as_server);
    CHECK(server->is_open() == (*row.as_server == '\0'));

    const auto client =
        TlsEngine::connect(context(TlsSide::to_servers, authority.for_servers(TlsMode::require)),
                           "db.example", row.start);
    RawPeer raw_server{RawPeer::Role::server, authority, TLS1_3_VERSION, row.alpn};
    raw_server.shake_hands(*client);
    // OpenSSL itself looks at what it offered, since 3.0.15.
    const bool seen_by_openssl = client->failure() == "SSL error: bad extension";
    if (!seen_by_openssl || row.alpn == nullptr || *row.alpn == 'p')
      CHECK(client->failure() == row.as_client);
    CHECK(client->is_open() == (*row.as_client == '\0'));
  }
}

}  // namespace
}  // namespace pgring::test
