#include "wire/md5.h"

#include <doctest/doctest.h>

#include <array>

namespace {

constexpr std::array<std::byte, 4> salt = {std::byte{0x01}, std::byte{0x02}, std::byte{0x03},
                                           std::byte{0xff}};

}  // namespace

TEST_CASE("md5: the secret is the one PostgreSQL stores") {
  // pg_authid.rolpassword of CREATE ROLE md PASSWORD 'secret' on PostgreSQL 15.
  CHECK(wire::md5_secret("secret", "md") == "md5d7a84ec8cb0b9b78e5ac40740627a360");
}

TEST_CASE("md5: a response to the right salt from the right secret matches, any other does not") {
  const auto secret = wire::md5_secret("secret", "md");
  REQUIRE(secret.has_value());
  const auto response = wire::md5_response(*secret, salt);
  REQUIRE(response.has_value());
  CHECK(*response == "md58644f76ce7d0927f0cb8ff7a3c72cf3b");
  CHECK(wire::verify_md5_response(*secret, salt, *response) == wire::Md5Verdict::match);

  std::array<std::byte, 4> other_salt = salt;
  other_salt[0] = std::byte{0};
  CHECK(wire::verify_md5_response(*secret, other_salt, *response) == wire::Md5Verdict::mismatch);
  for (std::size_t i = 0; i < response->size(); ++i) {
    std::string wrong = *response;
    wrong[i] = static_cast<char>(wrong[i] ^ 1);
    CAPTURE(i);
    CHECK(wire::verify_md5_response(*secret, salt, wrong) == wire::Md5Verdict::mismatch);
    CHECK(wire::verify_md5_response(*secret, salt, response->substr(0, i)) ==
          wire::Md5Verdict::mismatch);
  }
}

TEST_CASE("md5: the stored secret itself is not an answer") {
  const auto secret = wire::md5_secret("secret", "md");
  REQUIRE(secret.has_value());
  CHECK(wire::verify_md5_response(*secret, salt, *secret) == wire::Md5Verdict::mismatch);
}

TEST_CASE("md5: only md5 and 32 hexadecimal digits are a secret") {
  CHECK(wire::is_md5_secret("md50123456789abcdef0123456789abcdef"));
  CHECK_FALSE(wire::is_md5_secret("md50123456789abcdef0123456789abcde"));
  CHECK_FALSE(wire::is_md5_secret("md50123456789abcdef0123456789abcdeg"));
  CHECK_FALSE(wire::is_md5_secret("md5"));
  CHECK_FALSE(wire::is_md5_secret(""));
  CHECK_FALSE(wire::md5_response("plain", salt).has_value());
}
