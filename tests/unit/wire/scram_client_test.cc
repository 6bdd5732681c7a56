#include "wire/scram_client.h"

#include <doctest/doctest.h>

#include "tests/unit/wire/scram_example.h"
#include "wire/scram_server.h"

using wire::ScramClient;
using wire::ScramServer;
using wire::ScramServerStep;
using wire::ScramUser;

namespace {

wire::ScramSecret secret_of(std::string_view password) {
  return *wire::scram_secret_from_password(password, wire_test::salt(), 50);
}

// Plays one login. True: both sides agree that it succeeded.
bool log_in(ScramClient& client, ScramServer& server) {
  const auto server_first = server.receive(client.first_message());
  REQUIRE(server_first.step == ScramServerStep::send_continue);
  const auto client_final = client.receive_first(server_first.data);
  REQUIRE_FALSE(client_final.error.has_value());
  const auto server_final = server.receive(client_final.data);
  if (server_final.step != ScramServerStep::succeeded) return false;
  return !client.receive_final(server_final.data).error && client.succeeded();
}

constexpr std::string_view tail = ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=50";

}  // namespace

TEST_CASE("scram client: logs in with the password, not with another") {
  for (const std::string_view password : {"pencil", "", "p\u00e4ss", "\xff\xfe", "a,b=c"}) {
    ScramServer server(secret_of("pencil"), ScramUser::real, *wire::make_scram_nonce());
    ScramClient client(password, *wire::make_scram_nonce());
    CHECK(log_in(client, server) == (password == "pencil"));
    ScramServer own(secret_of(password), ScramUser::real, *wire::make_scram_nonce());
    ScramClient again(password, *wire::make_scram_nonce());
    CHECK(log_in(again, own));
  }
}

TEST_CASE("scram client: the keys a server learned log in to a server with the same secret") {
  ScramServer server(secret_of("pencil"), ScramUser::real, "snonce");
  ScramClient client("pencil", "cnonce");
  REQUIRE(log_in(client, server));
  REQUIRE(server.keys().has_value());

  ScramServer behind(secret_of("pencil"), ScramUser::real, "other");
  ScramClient pass_through(*server.keys(), "fresh");
  CHECK(log_in(pass_through, behind));

  const auto other_secret = wire::scram_secret_from_password("pencil", "another salt", 50);
  ScramServer other(*other_secret, ScramUser::real, "other");
  ScramClient refused(*server.keys(), "fresh");
  CHECK_FALSE(log_in(refused, other));
}

TEST_CASE("scram client: a nonce that does not extend ours is refused") {
  for (const std::string_view nonce : {"r=cnonce", "r=cnonc", "r=xnonceserver", "r=server", "r="}) {
    CAPTURE(nonce);
    ScramClient client("pencil", "cnonce");
    CHECK(client.receive_first(std::string(nonce) + std::string(tail)).error.has_value());
    CHECK_FALSE(client.succeeded());
  }
}

TEST_CASE("CVE-2026-6665: a server's long nonce is refused before anything is built from it") {
  ScramClient client("pencil", "cnonce");
  const auto reply = client.receive_first("r=cnonce" + std::string(3000, 'x') + std::string(tail));
  CHECK(reply.error.has_value());
  CHECK(reply.data.empty());
}

TEST_CASE("CVE-2026-6669: a server that wants more than a million iterations is refused at once") {
  ScramClient client("pencil", "cnonce");
  const auto reply = client.receive_first("r=cnoncex,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=1000001");
  REQUIRE(reply.error.has_value());
  CHECK(reply.error->message == "SCRAM iteration count of the server is out of bounds");
}

TEST_CASE("scram client: a server that does not know the secret is refused") {
  const std::string server_first = "r=cnoncex" + std::string(tail);
  for (const std::string_view text : {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "v=",
                                      "v=AAAA", "", "e=other-error", "x=1"}) {
    CAPTURE(text);
    ScramClient client("pencil", "cnonce");
    REQUIRE_FALSE(client.receive_first(server_first).error.has_value());
    CHECK(client.receive_final(text).error.has_value());
    CHECK_FALSE(client.succeeded());
  }
}

TEST_CASE("scram client: messages out of order are refused") {
  ScramClient early("pencil", "cnonce");
  CHECK(early.receive_final("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").error.has_value());
  ScramClient twice("pencil", "cnonce");
  REQUIRE_FALSE(twice.receive_first("r=cnoncex" + std::string(tail)).error.has_value());
  CHECK(twice.receive_first("r=cnoncex" + std::string(tail)).error.has_value());
  CHECK_FALSE(twice.succeeded());
}
