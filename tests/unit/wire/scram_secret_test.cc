#include "wire/scram_secret.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "tests/unit/wire/bytes.h"
#include "tests/unit/wire/scram_example.h"
#include "wire/limits.h"

namespace {

// pg_authid.rolpassword of PostgreSQL 15 for the passwords beside them.
struct Stored {
  std::string_view password;
  std::string_view secret;
};
constexpr Stored stored_by_postgres[] = {
    {"pencil",
     "SCRAM-SHA-256$4096:aprinra9a09WWhUXaJrx6Q==$T7rlGZhFqfP05zNYOMoNBYyHVFLRvYzfP3bfDsWkbic=:"
     "IDxwIiII9Hh1OigGatZp/ECdivJvHdO9vttpJz6vSNA="},
    {"p\u00e4ssw\u00f6rd",  // UTF-8 in its normal form: SASLprep leaves it alone
     "SCRAM-SHA-256$4096:WC8PPZ/RXNblLY8DKAPvHQ==$4wtzptrAriH2AhlT2GpKTpE/LMOITikA8ntH52tXFuA=:"
     "sz8ZfetdAf9/jxyKoAIq30p/UPsV6Pqvet8p9bt3b10="},
    {"tab\tx y",  // SASLprep would refuse the tab, PostgreSQL takes ASCII as it is
     "SCRAM-SHA-256$4096:z8xI8EkpGAescftqZIa50A==$dcQ0z5jzjKWVQuLH0hvlTsmMwQwJ/w4py43znIs9UPA=:"
     "VeiW5GxXozLp1W8VHse7CYpN+n/duhWeIWFtI+kB6dY="},
};

}  // namespace

TEST_CASE("scram secret: what PostgreSQL stored is read, made again and written alike") {
  for (const Stored& stored : stored_by_postgres) {
    CAPTURE(stored.password);
    const auto parsed = wire::parse_scram_secret(stored.secret);
    REQUIRE(parsed.has_value());
    CHECK(parsed->iterations == 4096);
    CHECK(wire::scram_secret_from_password(stored.password, parsed->salt, 4096) == *parsed);
    CHECK(wire::format_scram_secret(*parsed) == stored.secret);
  }
}

TEST_CASE("scram secret: cut at any byte or with a byte changed it is not the secret") {
  const std::string_view text = stored_by_postgres[0].secret;
  const auto whole = wire::parse_scram_secret(text);
  for (std::size_t at = 0; at < text.size(); ++at) {
    CAPTURE(at);
    CHECK_FALSE(wire::parse_scram_secret(text.substr(0, at)).has_value());
    std::string changed(text);
    changed[at] = static_cast<char>(changed[at] ^ 1);
    CHECK_FALSE(wire::parse_scram_secret(changed) == whole);
  }
}

TEST_CASE("scram secret: iterations outside 1 to 1000000 and other texts are no secret") {
  const std::string tail =
      ":W22ZaJ0SNY7soEsUEjb6gQ==$T7rlGZhFqfP05zNYOMoNBYyHVFLRvYzfP3bfDsWkbic=:"
      "IDxwIiII9Hh1OigGatZp/ECdivJvHdO9vttpJz6vSNA=";
  CHECK(wire::parse_scram_secret("SCRAM-SHA-256$1" + tail).has_value());
  CHECK(wire::parse_scram_secret("SCRAM-SHA-256$1000000" + tail).has_value());
  for (const std::string_view iterations :
       {"", "0", "-1", "+1", " 1", "1 ", "1000001", "4294967297", "99999999999999999999", "0x10"}) {
    CAPTURE(iterations);
    CHECK_FALSE(wire::parse_scram_secret("SCRAM-SHA-256$" + std::string(iterations) + tail));
  }
  CHECK_FALSE(wire::parse_scram_secret("SCRAM-SHA-1$1" + tail).has_value());
  CHECK_FALSE(wire::parse_scram_secret("").has_value());
  CHECK_FALSE(wire::scram_secret_from_password("p", "salt", 0).has_value());
  CHECK_FALSE(wire::scram_secret_from_password("p", "salt", 1'000'001).has_value());
  CHECK_FALSE(wire::scram_secret_from_password("p", "", 1).has_value());
}

TEST_CASE("scram secret: keys match the secret of their password only") {
  const auto keys = wire::scram_keys_from_password("pencil", wire_test::salt(), 10);
  const auto same = wire::scram_secret_from_password("pencil", wire_test::salt(), 10);
  const auto other = wire::scram_secret_from_password("pencil", wire_test::salt(), 11);
  REQUIRE((keys && same && other));
  CHECK(wire::scram_keys_match(*keys, *same));
  CHECK_FALSE(wire::scram_keys_match(*keys, *other));
}

TEST_CASE("scram secret: a mock is the same for one name and another for every other") {
  const auto first = wire::scram_mock_secret("ann", "process secret", 4096);
  const auto again = wire::scram_mock_secret("ann", "process secret", 4096);
  const auto other_name = wire::scram_mock_secret("bob", "process secret", 4096);
  const auto other_process = wire::scram_mock_secret("ann", "another secret", 4096);
  REQUIRE((first && other_name && other_process));
  CHECK(first == again);
  CHECK(first->salt.size() == 16);
  CHECK(first->salt != other_name->salt);
  CHECK(first->salt != other_process->salt);
  CHECK(first->stored_key != first->server_key);
}

TEST_CASE("scram secret: nonces and salts have their sizes and do not repeat") {
  const auto nonce = wire::make_scram_nonce();
  const auto salt = wire::make_scram_salt();
  REQUIRE((nonce && salt));
  CHECK(nonce->size() == 24);
  CHECK(salt->size() == 16);
  CHECK(nonce != wire::make_scram_nonce());
  CHECK(salt != wire::make_scram_salt());
}
