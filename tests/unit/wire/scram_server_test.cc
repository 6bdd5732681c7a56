#include "wire/scram_server.h"

#include <doctest/doctest.h>

#include "tests/unit/wire/scram_example.h"
#include "wire/scram_client.h"

using wire::ScramServer;
using wire::ScramServerStep;
using wire::ScramUser;

namespace {

wire::ScramSecret example_secret() {
  return *wire::scram_secret_from_password("pencil", wire_test::salt(), 4096);
}

ScramServer example_server() {
  return ScramServer(example_secret(), ScramUser::real, std::string(wire_test::server_nonce));
}

}  // namespace

TEST_CASE("scram server: the exchange of RFC 7677 succeeds word for word") {
  ScramServer server = example_server();
  CHECK_FALSE(server.keys().has_value());
  const auto first = server.receive(wire_test::client_first);
  REQUIRE(first.step == ScramServerStep::send_continue);
  CHECK(first.data == wire_test::server_first);
  const auto final = server.receive(wire_test::client_final);
  REQUIRE(final.step == ScramServerStep::succeeded);
  CHECK(final.data == wire_test::server_final);
  REQUIRE(server.keys().has_value());
  CHECK(wire::scram_keys_match(*server.keys(), example_secret()));
}

TEST_CASE("scram server: a proof with any bit changed is refused as a wrong password") {
  const std::size_t proof_at = wire_test::client_final.find(",p=") + 3;
  for (std::size_t at = proof_at; at + 1 < wire_test::client_final.size(); ++at) {
    CAPTURE(at);
    ScramServer server = example_server();
    CHECK(server.receive(wire_test::client_first).step == ScramServerStep::send_continue);
    std::string text(wire_test::client_final);
    text[at] = text[at] == 'A' ? 'E' : 'A';
    const auto reply = server.receive(text);
    // The last digit has two bits that must be zero: 'A' and 'E' keep to that.
    CHECK(reply.step == ScramServerStep::refused);
    CHECK(reply.error.sqlstate == "28P01");
    CHECK_FALSE(server.keys().has_value());
  }
}

TEST_CASE("scram server: a nonce or channel binding not of this exchange is malformed") {
  const std::string text(wire_test::client_final);
  const auto answer = [](const std::string& final_message) {
    ScramServer server = example_server();
    CHECK(server.receive(wire_test::client_first).step == ScramServerStep::send_continue);
    return server.receive(final_message).step;
  };
  std::string other_nonce = text;
  other_nonce[9] = 'X';
  CHECK(answer(other_nonce) == ScramServerStep::malformed);
  std::string longer_nonce = text;
  longer_nonce.insert(longer_nonce.find(",p="), "x");
  CHECK(answer(longer_nonce) == ScramServerStep::malformed);
  std::string other_binding = text;
  other_binding.replace(2, 4, "eSws");
  CHECK(answer(other_binding) == ScramServerStep::malformed);
  CHECK(answer("c=biws,p=" + text.substr(text.find(",p=") + 3)) == ScramServerStep::malformed);
}

TEST_CASE("scram server: after an end nothing is accepted, whichever end it was") {
  ScramServer failed = example_server();
  CHECK(failed.receive("nonsense").step == ScramServerStep::malformed);
  CHECK(failed.receive(wire_test::client_first).step == ScramServerStep::malformed);
  ScramServer succeeded = example_server();
  CHECK(succeeded.receive(wire_test::client_first).step == ScramServerStep::send_continue);
  CHECK(succeeded.receive(wire_test::client_final).step == ScramServerStep::succeeded);
  CHECK(succeeded.receive(wire_test::client_final).step == ScramServerStep::malformed);
  CHECK_FALSE(succeeded.keys().has_value());
}

TEST_CASE(
    "CVE-2015-6817: a user that does not exist cannot log in nor be told from one that does") {
  // Method: the mock's secret is one a real password fits, so only the user's kind refuses it.
  ScramServer mock(example_secret(), ScramUser::mock, std::string(wire_test::server_nonce));
  const auto first = mock.receive(wire_test::client_first);
  CHECK(first.step == ScramServerStep::send_continue);
  CHECK(first.data == wire_test::server_first);
  const auto reply = mock.receive(wire_test::client_final);
  CHECK(reply.step == ScramServerStep::refused);
  CHECK_FALSE(mock.keys().has_value());

  ScramServer real(example_secret(), ScramUser::real, std::string(wire_test::server_nonce));
  wire::ScramClient client("wrong", "clientnonce");
  const auto answer = client.receive_first(real.receive(client.first_message()).data);
  const auto wrong = real.receive(answer.data);
  CHECK(wrong.step == reply.step);
  CHECK(wrong.data == reply.data);
  CHECK(wrong.error.message == reply.error.message);
  CHECK(wrong.error.detail == reply.error.detail);
}

TEST_CASE("scram server: flag y, for a client that could bind channels, is accepted") {
  ScramServer server = example_server();
  CHECK(server.receive("y,,n=,r=abc").step == ScramServerStep::send_continue);
  const std::string text = "c=eSws,r=abc" + std::string(wire_test::server_nonce) +
                           ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
  CHECK(server.receive(text).step == ScramServerStep::refused);  // read, but of another exchange
}
