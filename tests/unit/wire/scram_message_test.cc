#include "wire/scram_message.h"

#include <doctest/doctest.h>

#include <random>

#include "tests/unit/wire/bytes.h"
#include "tests/unit/wire/scram_example.h"
#include "wire/limits.h"

using namespace std::string_literals;

TEST_CASE("scram message: the four messages of RFC 7677 are read") {
  const auto client_first = wire::parse_scram_client_first(wire_test::client_first);
  REQUIRE_FALSE(client_first.error.has_value());
  CHECK(client_first.message.bare == "n=user,r=rOprNGfwEbeRWgbNEkqO");
  CHECK(client_first.message.nonce == "rOprNGfwEbeRWgbNEkqO");
  CHECK(client_first.message.channel_binding == "biws");

  const auto server_first = wire::parse_scram_server_first(wire_test::server_first);
  REQUIRE_FALSE(server_first.error.has_value());
  CHECK(server_first.message.salt == wire_test::salt());
  CHECK(server_first.message.iterations == 4096);

  const auto client_final = wire::parse_scram_client_final(wire_test::client_final);
  REQUIRE_FALSE(client_final.error.has_value());
  CHECK(client_final.message.channel_binding == "biws");
  CHECK(client_final.message.nonce == server_first.message.nonce);
  CHECK(client_final.message.without_proof ==
        wire_test::client_final.substr(0, wire_test::client_final.find(",p=")));

  CHECK_FALSE(wire::parse_scram_server_final(wire_test::server_final).error.has_value());
  CHECK(wire::parse_scram_server_final("e=other-error").message.server_error == "other-error");
}

TEST_CASE("scram message: client-first with what PostgreSQL refuses is refused with its SQLSTATE") {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"", "08P01"},
      {"n", "08P01"},
      {"n,", "08P01"},
      {"n,,", "08P01"},
      {"x,,n=,r=abc", "08P01"},
      {"p=tls-server-end-point,,n=,r=abc", "08P01"},
      {"n,a=admin,n=,r=abc", "0A000"},
      {"n,,m=ext,n=,r=abc", "0A000"},
      {"n,,r=abc", "08P01"},
      {"n,,n=,r=", "08P01"},
      {"n,,n=", "08P01"},
      {"n,,n=,x=1,r=abc", "08P01"},
      {"n,,n=,r=a\x01", "08P01"},
      {"n,,n=,r=a b", "08P01"},
      {"n,,n=,r=abc,junk", "08P01"},
  };
  for (const auto& [text, sqlstate] : cases) {
    CAPTURE(text);
    const auto parsed = wire::parse_scram_client_first(text);
    REQUIRE(parsed.error.has_value());
    CHECK(parsed.error->sqlstate == sqlstate);
  }
  CHECK_FALSE(wire::parse_scram_client_first("y,,n=,r=abc,x=1").error.has_value());
}

TEST_CASE("scram message: inputs beyond their bound are refused") {
  CHECK(wire::parse_scram_client_first("n,,n=" + std::string(1020, 'a') + ",r=x").error);
  CHECK(wire::parse_scram_client_first("n,,n=,r=" + std::string(513, 'a')).error);
  CHECK_FALSE(wire::parse_scram_client_first("n,,n=,r=" + std::string(512, 'a')).error);
  CHECK(
      wire::parse_scram_client_final(std::string(wire_test::client_final) + std::string(1025, 'a'))
          .error);
}

TEST_CASE("CVE-2026-6665: a long nonce or salt of a server is refused") {
  const std::string tail = ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
  CHECK_FALSE(wire::parse_scram_server_first("r=" + std::string(512, 'n') + tail).error);
  for (const std::size_t size : {513u, 4000u, 5000u, 100000u}) {
    CHECK(wire::parse_scram_server_first("r=" + std::string(size, 'n') + tail).error);
  }
  CHECK(wire::parse_scram_server_first("r=n,s=" + std::string(1400, 'A') + ",i=1").error);
}

TEST_CASE("CVE-2026-6669: iterations of a server outside 1 to 1000000 are refused") {
  const std::string head = "r=n,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=";
  CHECK_FALSE(wire::parse_scram_server_first(head + "1").error);
  CHECK_FALSE(wire::parse_scram_server_first(head + "1000000").error);
  for (const std::string_view text :
       {"0", "1000001", "2147483647", "4294967296", "99999999999999999999", "-1", "", "1x", " 1"}) {
    CAPTURE(text);
    CHECK(wire::parse_scram_server_first(head + std::string(text)).error);
  }
}

TEST_CASE("CVE-2026-19888: a client-final without nonce, or without any attribute, is refused") {
  const std::string proof = "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
  for (const std::string& text :
       {"c=biws,"s + proof, "c=biws"s, "c=biws,"s, "c"s, ""s, ","s, proof, "r=abc,"s + proof,
        "c=biws,r=abc"s, "c=biws,r=abc,"s, "c=biws,r=abc,p="s, "c=biws,r=abc,p=AAAA"s,
        "c=biws,r=abc,"s + proof + ",x=1", "c=biws,r=abc,junk,"s + proof}) {
    CAPTURE(text);
    CHECK(wire::parse_scram_client_final(text).error.has_value());
  }
  CHECK_FALSE(wire::parse_scram_client_final("c=biws,r=abc,x=1,"s + proof).error.has_value());
}

TEST_CASE("scram message: cut at any byte a message is refused or says less") {
  const auto cuts = [](std::string_view text, auto parse) {
    int refused = 0;
    for (std::size_t cut = 0; cut < text.size(); ++cut) {
      refused += parse(text.substr(0, cut)).error.has_value() ? 1 : 0;
    }
    return refused;
  };
  // A shorter nonce and fewer digits of the iterations still read; everything else must not.
  const auto client_first = [](std::string_view text) {
    return wire::parse_scram_client_first(text);
  };
  CHECK(cuts(wire_test::client_first, client_first) == 13);
  CHECK(cuts(wire_test::client_final, wire::parse_scram_client_final) ==
        static_cast<int>(wire_test::client_final.size()));
  CHECK(cuts(wire_test::server_first, wire::parse_scram_server_first) ==
        static_cast<int>(wire_test::server_first.size()) - 3);
  CHECK(cuts(wire_test::server_final, wire::parse_scram_server_final) ==
        static_cast<int>(wire_test::server_final.size()));
}

TEST_CASE("scram message: random texts are refused or read, and both happen") {
  std::mt19937 random(8);
  int accepted = 0;
  for (int i = 0; i < 100000; ++i) {
    const std::string text = wire_test::random_text(random, 12, "ny,,,==rrsiecvp1A");
    for (const std::string& with : {text, "n,,n=" + text, "r=a" + text, "c=biws,r" + text}) {
      accepted += wire::parse_scram_client_first(with).error ? 0 : 1;
      accepted += wire::parse_scram_client_final(with).error ? 0 : 1;
      accepted += wire::parse_scram_server_first(with).error ? 0 : 1;
      accepted += wire::parse_scram_server_final(with).error ? 0 : 1;
    }
  }
  CHECK(accepted > 0);
}
