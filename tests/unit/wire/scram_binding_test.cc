// SCRAM-SHA-256-PLUS: both sides, and what somebody between them must not get away with.
#include <doctest/doctest.h>

#include "tests/unit/wire/scram_example.h"
#include "wire/scram.h"

using wire::ScramBinding;
using wire::ScramServerStep;

namespace {

struct Login {
  wire::ScramClient client{"pencil", "cnonce"};
  wire::ScramServer server{*wire::scram_secret_from_password("pencil", wire_test::salt(), 50),
                           wire::ScramUser::real, "snonce"};

  // The error's SQLSTATE; empty: both sides agree that it succeeded.
  std::string_view run() {
    const auto first = server.receive(client.first_message());
    if (first.step != ScramServerStep::send_continue) return first.error.sqlstate;
    const auto proof = client.receive_first(first.data);
    REQUIRE_FALSE(proof.error.has_value());
    const auto last = server.receive(proof.data);
    if (last.step != ScramServerStep::succeeded) return last.error.sqlstate;
    REQUIRE_FALSE(client.receive_final(last.data).error.has_value());
    return {};
  }
};

}  // namespace

TEST_CASE("scram binding: both sides of one channel agree") {
  Login login;
  login.client.bind(ScramBinding::in_use, std::string("\x01\x00,=", 4));
  login.server.bind(ScramBinding::in_use, std::string("\x01\x00,=", 4));
  CHECK(login.client.first_message() == "p=tls-server-end-point,,n=,r=cnonce");
  CHECK(login.run().empty());
  CHECK(login.server.keys().has_value());
}

TEST_CASE("scram binding: another channel's hash is refused") {
  Login login;
  login.client.bind(ScramBinding::in_use, "hash of a stranger's certificate");
  login.server.bind(ScramBinding::in_use, "hash of ours");
  CHECK(login.run() == "28000");
  CHECK_FALSE(login.server.keys().has_value());
}

TEST_CASE("scram binding: an offer that was taken out of the list is noticed") {
  Login login;
  login.client.bind(ScramBinding::unused, "hash");
  CHECK(login.client.first_message() == "y,,n=,r=cnonce");
  login.server.bind(ScramBinding::unused, "hash");
  CHECK(login.run() == "28000");

  // Where the server has none, the same words are the truth.
  Login true_login;
  true_login.client.bind(ScramBinding::unused, "hash");
  CHECK(true_login.run().empty());

  // And a client that does not know of it may log in without.
  Login without;
  without.server.bind(ScramBinding::unused, "hash");
  CHECK(without.run().empty());
}

TEST_CASE("scram binding: the mechanism and the message must say the same") {
  for (const std::string_view text :
       {"n,,n=,r=abc", "y,,n=,r=abc", "x,,n=,r=abc", "", "p=tls-unique,,n=,r=abc", "p=,,n=,r=abc",
        "p", "p=tls-server-end-pointer,,n=,r=abc", "p=tls-server-end-point,n=,r=abc"}) {
    CAPTURE(text);
    const auto parsed = wire::parse_scram_client_first(text, ScramBinding::in_use);
    REQUIRE(parsed.error.has_value());
    CHECK(parsed.error->sqlstate == "08P01");
  }
  const auto as_another = wire::parse_scram_client_first("p=tls-server-end-point,a=admin,n=,r=abc",
                                                         ScramBinding::in_use);
  REQUIRE(as_another.error.has_value());
  CHECK(as_another.error->sqlstate == "0A000");
  Login login;
  login.client.bind(ScramBinding::in_use, "hash");
  CHECK(login.run() == "08P01");
}
