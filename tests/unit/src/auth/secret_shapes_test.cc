// Roles that do not exist look like those that do.
#include "src/auth/secret_shapes.h"

#include <doctest/doctest.h>

#include <map>

using namespace pgring;

namespace {

StoredSecret scram(const std::string& iterations) {
  const std::string key(43, 'A');
  const std::string text = "SCRAM-SHA-256$" + iterations + ":c2FsdA==$" + key + "=:" + key + "=";
  REQUIRE(*classify_secret(text) == SecretKind::scram_sha_256);
  return {Secret{text}, SecretKind::scram_sha_256};
}

}  // namespace

TEST_CASE("secret shapes: a shape is the kind, and of SCRAM the rounds") {
  CHECK(shape_of(scram("4096")) == SecretShape{SecretKind::scram_sha_256, 4096});
  CHECK(shape_of(scram("10000")) == SecretShape{SecretKind::scram_sha_256, 10000});
  CHECK(shape_of({Secret{"word"}, SecretKind::plain}) == SecretShape{SecretKind::plain, 0});
}

TEST_CASE("secret shapes: without roles a made-up one looks like PostgreSQL's default") {
  CHECK(SecretShapes{}.pick(42) == SecretShape{SecretKind::scram_sha_256, 0});
}

TEST_CASE(
    "secret shapes: they are drawn as often as they occur, roles without a secret not at all") {
  UserList users;
  users["a"] = scram("4096");
  users["b"] = scram("4096");
  users["c"] = scram("9000");
  users["d"] = {Secret{"word"}, SecretKind::plain};
  users["e"] = {};
  const SecretShapes shapes{users};
  std::map<std::pair<SecretKind, std::uint32_t>, int> drawn;
  for (std::uint64_t number = 0; number < 400; ++number) {
    const SecretShape shape = shapes.pick(number);
    CHECK(shape == shapes.pick(number));
    ++drawn[{shape.kind, shape.iterations}];
  }
  CHECK(drawn.size() == 3);
  CHECK(drawn[{SecretKind::scram_sha_256, 4096}] == 200);
  CHECK(drawn[{SecretKind::scram_sha_256, 9000}] == 100);
  CHECK(drawn[{SecretKind::plain, 0}] == 100);
}
