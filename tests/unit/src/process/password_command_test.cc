// Lines that `pgring password` makes are what a userlist takes, and let their password in.
#include "src/process/password_command.h"

#include <doctest/doctest.h>

#include <string>

#include "src/auth/userlist.h"
#include "wire/md5.h"
#include "wire/scram_secret.h"

using namespace pgring;

namespace {

UserList users_of(const PasswordOptions& options, const std::string& password) {
  const auto line = userlist_line(options, Secret{password}, "0123456789abcdef");
  REQUIRE(line);
  auto users = parse_userlist(line->reveal(), "u");
  REQUIRE(users);
  REQUIRE(users->size() == 1);
  return std::move(*users);
}

}  // namespace

TEST_CASE("password: a SCRAM line has the role's verifier with the rounds asked for") {
  const auto users = users_of({.role = "my \"app\"", .iterations = 1000}, "word");
  const auto& [role, secret] = *users.begin();
  CHECK(role == "my \"app\"");
  CHECK(secret.kind == SecretKind::scram_sha_256);
  const auto stored = wire::parse_scram_secret(secret.text.reveal());
  REQUIRE(stored);
  CHECK(stored->iterations == 1000);
  const auto keys = wire::scram_keys_from_password("word", stored->salt, 1000);
  REQUIRE(keys);
  CHECK(wire::scram_keys_match(*keys, *stored));
}

TEST_CASE("password: an md5 line has PostgreSQL's hash") {
  const auto users = users_of({.role = "app", .md5 = true}, "word");
  CHECK(users.at("app").kind == SecretKind::md5);
  CHECK(users.at("app").text.equals(*wire::md5_secret("word", "app")));
}
