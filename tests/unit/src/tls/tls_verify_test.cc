// Who is let in: certificates of both sides, names, ALPN, versions.
#include <doctest/doctest.h>
#include <openssl/err.h>

#include <cstdlib>

#include "tests/unit/src/tls/engine_pair.h"

namespace pgring::test {
namespace {

constexpr TlsVersion versions[] = {TlsVersion::tls1_2, TlsVersion::tls1_3};

// After a handshake that must fail on at least one side.
struct Failed {
  std::string client;
  std::string server;
};

Failed failed(EnginePair& pair) {
  pair.shake_hands();
  CHECK(!pair.open());
  CHECK(ERR_peek_error() == 0);
  return {pair.client->failure(), pair.server->failure()};
}

TlsOptions asking(const Authority& authority, TlsMode mode, TlsVersion version) {
  TlsOptions options = authority.for_clients();
  options.mode = mode;
  options.ca_file = authority.ca_file();
  options.max_version = version;
  return options;
}

TEST_CASE("tls verify: a client with a good certificate is known by its names") {
  const Authority authority;
  for (const TlsVersion version : versions) {
    for (const TlsMode mode : {TlsMode::require, TlsMode::verify_ca, TlsMode::verify_full}) {
      TlsOptions client = authority.for_servers(TlsMode::require);
      authority.use(client, authority.client());
      EnginePair pair{client, asking(authority, mode, version)};
      pair.shake_hands();
      REQUIRE(pair.open());
      const auto peer = pair.server->peer();
      REQUIRE(peer.has_value());
      REQUIRE(peer->has_value());
      CHECK((*peer)->common_name == "alice");
      CHECK((*peer)->distinguished_name == "CN=alice,O=Example");
    }
  }
}

TEST_CASE("tls verify: a client without a certificate comes in where it is not demanded, unknown") {
  const Authority authority;
  for (const TlsVersion version : versions) {
    EnginePair asked{authority.for_servers(TlsMode::require),
                     asking(authority, TlsMode::require, version)};
    asked.shake_hands();
    REQUIRE(asked.open());
    CHECK(!asked.server->peer().has_value());
    EnginePair demanded{authority.for_servers(TlsMode::require),
                        asking(authority, TlsMode::verify_ca, version)};
    CHECK(failed(demanded).server ==
          "could not accept SSL connection: peer did not return a certificate");
  }
}

TEST_CASE("tls verify: a certificate that was not asked for does not make a client known") {
  const Authority authority;
  TlsOptions client = authority.for_servers(TlsMode::require);
  authority.use(client, authority.client());
  EnginePair pair{client, authority.for_clients()};
  pair.shake_hands();
  REQUIRE(pair.open());
  CHECK(!pair.server->peer().has_value());
}

TEST_CASE("tls verify: clients of another CA, expired, not yet valid or revoked stay out") {
  const Authority authority;
  const Authority stranger;
  constexpr long day = 24L * 3600;
  struct Row {
    Identity identity;
    std::string reason;
  };
  const Row rows[] = {
      {issue({.common_names = {"alice"}}, &stranger.ca()),
       "certificate signature failure"},  // both CAs have the same name
      {issue({.common_names = {"alice"}}), "self-signed certificate"},
      {issue({.common_names = {"alice"}, .begins_s = -2 * day, .ends_s = -day}, &authority.ca()),
       "certificate has expired"},
      {issue({.common_names = {"alice"}, .begins_s = day}, &authority.ca()),
       "certificate is not yet valid"},
      {issue({.common_names = {"revoked"}}, &authority.ca()), "certificate revoked"},
  };
  const std::string crl_file =
      authority.folder().write("crl.pem", pem(*revoke(authority.ca(), {&rows[4].identity})));
  for (const auto& row : rows) {
    CAPTURE(row.reason);
    for (const TlsVersion version : versions) {
      // Also where none is demanded: one that comes must be good.
      for (const TlsMode mode : {TlsMode::require, TlsMode::verify_ca}) {
        TlsOptions client = authority.for_servers(TlsMode::require);
        authority.use(client, row.identity);
        TlsOptions server = asking(authority, mode, version);
        server.crl_file = crl_file;
        EnginePair pair{client, server};
        const Failed why = failed(pair);
        CHECK(why.server ==
              "could not accept SSL connection: certificate verify failed: " + row.reason);
        CHECK(why.client.starts_with("SSL error: "));
      }
    }
  }
  // The list lets the others in.
  TlsOptions client = authority.for_servers(TlsMode::require);
  authority.use(client, authority.client());
  TlsOptions server = asking(authority, TlsMode::verify_ca, TlsVersion::tls1_3);
  server.crl_file = crl_file;
  EnginePair pair{client, server};
  pair.shake_hands();
  CHECK(pair.open());
}

TEST_CASE("tls verify: the modes verify a server as libpq's do") {
  const Authority authority;
  const Authority stranger;
  struct Row {
    TlsMode mode;
    const std::string* ca_file;
    const char* host;
    std::string failure;  // of the client; empty: it connects
  };
  const std::string none;
  const char* const wrong_ca =
      "SSL error: certificate verify failed: unable to get local issuer certificate";
  const char* const wrong_host =
      "server certificate for \"db.example\" does not match host name \"other.example\"";
  const TestFolder folder;
  const std::string other_ca =
      folder.write("other.pem", pem(issue({.common_names = {"other CA"}, .ca = true})));
  const Row rows[] = {
      {TlsMode::allow, &none, "other.example", ""},
      {TlsMode::prefer, &none, "other.example", ""},
      {TlsMode::require, &none, "other.example", ""},
      {TlsMode::require, &authority.ca_file(), "other.example", ""},
      // With roots at hand every mode verifies.
      {TlsMode::prefer, &other_ca, "db.example", wrong_ca},
      {TlsMode::require, &other_ca, "db.example", wrong_ca},
      {TlsMode::verify_ca, &authority.ca_file(), "other.example", ""},
      {TlsMode::verify_ca, &other_ca, "db.example", wrong_ca},
      {TlsMode::verify_full, &authority.ca_file(), "db.example", ""},
      {TlsMode::verify_full, &authority.ca_file(), "other.example", wrong_host},
      {TlsMode::verify_full, &other_ca, "db.example", wrong_ca},
      {TlsMode::verify_full, &stranger.ca_file(), "db.example",
       "SSL error: certificate verify failed: certificate signature failure"},
  };
  for (const TlsVersion version : versions) {
    for (const auto& row : rows) {
      CAPTURE(row.failure);
      TlsOptions client = authority.for_servers(row.mode);
      client.ca_file = *row.ca_file;
      client.max_version = version;
      EnginePair pair{client, authority.for_clients(), row.host};
      pair.shake_hands();
      CHECK(pair.client->failure() == row.failure);
      CHECK(pair.client->is_open() == row.failure.empty());
    }
  }
}

TEST_CASE("tls verify: the system's roots are those of OpenSSL") {
  const Authority authority;
  TlsOptions options = authority.for_servers(TlsMode::verify_full);
  options.ca_file = "system";
  const auto failure = [&] {
    EnginePair pair{options, authority.for_clients()};
    pair.shake_hands();
    return pair.client->failure();
  };
  REQUIRE(::setenv("SSL_CERT_FILE", authority.ca_file().c_str(), 1) == 0);
  CHECK(failure().empty());
  REQUIRE(::unsetenv("SSL_CERT_FILE") == 0);
  CHECK(failure() ==
        "SSL error: certificate verify failed: unable to get local issuer certificate");
}

TEST_CASE("tls verify: nothing passes a client that found another host's certificate") {
  const Authority authority;
  TlsOptions options = authority.for_servers(TlsMode::verify_full);
  options.ca_file = authority.ca_file();
  EnginePair pair{options, authority.for_clients(), "other.example"};
  pair.shake_hands();
  REQUIRE(pair.client->state() == TlsEngine::State::failed);
  TlsScratch scratch{};
  std::vector<std::byte> buffer(TlsEngine::record_room);
  std::string secret = "password";
  const iovec range{secret.data(), secret.size()};
  CHECK(pair.client->send({&range, 1}, buffer, scratch).cipher == 0);
}

TEST_CASE("tls verify: the server's name goes out as SNI, an address does not") {
  const Authority authority;
  for (const char* host : {"db.example", "10.0.0.7", "::1", ""}) {
    EnginePair pair{authority.for_servers(TlsMode::require), authority.for_clients(), host};
    pair.shake_hands();
    REQUIRE(pair.open());
    CHECK(pair.server->server_name() == (std::string_view{host} == "db.example" ? host : ""));
  }
  EnginePair pair{authority.for_servers(TlsMode::require), authority.for_clients(),
                  std::string(300, 'x')};
  CHECK(pair.client->failure().starts_with("could not set SSL Server Name Indication (SNI): "));
}

TEST_CASE("tls verify: without a version in common both say so") {
  const Authority authority;
  TlsOptions old = authority.for_servers(TlsMode::require);
  old.max_version = TlsVersion::tls1_2;
  TlsOptions strict = authority.for_clients();
  strict.min_version = TlsVersion::tls1_3;
  EnginePair pair{old, strict};
  CHECK(failed(pair).server == "could not accept SSL connection: unsupported protocol");
  CHECK(pair.server->failure_hint() ==
        "This may indicate that the client does not support any SSL protocol version between "
        "TLSv1.3 and TLSv1.3.");
  CHECK(pair.client->failure() == "SSL error: tlsv1 alert protocol version");
  CHECK(pair.client->failure_hint() ==
        "This may indicate that the server does not support any SSL protocol version between "
        "TLSv1.2 and TLSv1.2.");
}

TEST_CASE(
    "tls verify: without a cipher in common the handshake fails, and the server's order counts") {
  const Authority authority;
  TlsOptions client = authority.for_servers(TlsMode::require);
  TlsOptions server = authority.for_clients();
  client.tls13_ciphers = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384";
  server.tls13_ciphers =
      "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256";
  EnginePair pair{client, server};
  pair.shake_hands();
  REQUIRE(pair.open());
  CHECK(pair.client->cipher() == "TLS_AES_256_GCM_SHA384");
  server.tls13_ciphers = "TLS_CHACHA20_POLY1305_SHA256";
  server.min_version = TlsVersion::tls1_3;
  EnginePair apart{client, server};
  CHECK(failed(apart).server == "could not accept SSL connection: no shared cipher");
  client.groups = "P-521";
  server.groups = "X25519:P-256";
  server.tls13_ciphers.clear();
  EnginePair no_group{client, server};
  CHECK(failed(no_group).server.starts_with("could not accept SSL connection: no suitable "));
}

}  // namespace
}  // namespace pgring::test
