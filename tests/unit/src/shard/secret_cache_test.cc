// What auth.query said of roles: for a while, in bounded memory, doubted after a failed login.
#include "src/shard/secret_cache.h"

#include <doctest/doctest.h>

#include <string>

using namespace pgring;
using namespace std::chrono_literals;

namespace {

constexpr ring::Duration life = 10s;

LookupKey key(const std::string& role, const std::string& server = "main") {
  return {.place = {.server = server, .dbname = "postgres", .query = "SELECT $1, $1"},
          .role = role};
}

FoundSecretRef found(const std::string& text) {
  return std::make_shared<const FoundSecret>(
      FoundSecret{.secret = {Secret{text}, SecretKind::plain}, .why_none = {}});
}

FoundSecretRef none() {
  return std::make_shared<const FoundSecret>(FoundSecret{.secret = {}, .why_none = "no such role"});
}

}  // namespace

TEST_CASE("secret cache: an answer serves for its life, with a secret or without") {
  SecretCache cache;
  const ring::Instant now{};
  cache.put(key("app"), found("a"), now);
  cache.put(key("nobody"), none(), now);
  for (const char* const role : {"app", "nobody"}) {
    CHECK(cache.find(key(role), now + life - 1ns, life) != nullptr);
    CHECK(cache.find(key(role), now + life, life) == nullptr);
    CHECK(cache.find(key(role), now, life) == nullptr);  // dropped, not only passed over
  }
  CHECK(cache.size() == 0);
}

TEST_CASE("secret cache: with no life nothing is found") {
  SecretCache cache;
  cache.put(key("app"), found("a"), {});
  CHECK(cache.find(key("app"), {}, 0s) == nullptr);
}

TEST_CASE("secret cache: a role is another one at another place") {
  SecretCache cache;
  cache.put(key("app"), found("a"), {});
  CHECK(cache.find(key("app", "other"), {}, life) == nullptr);
  CHECK(cache.find(key("app"), {}, life)->secret.text.reveal() == "a");
}

TEST_CASE("secret cache: a failed login ends an answer that is not of this moment") {
  SecretCache cache;
  const ring::Instant now{};
  for (const auto& answer : {found("a"), none()}) {
    cache.put(key("app"), answer, now);
    cache.doubt(key("app"), now + SecretCache::doubt_after - 1ns);
    CHECK(cache.find(key("app"), now, life) != nullptr);
    cache.doubt(key("app"), now + SecretCache::doubt_after);
    CHECK(cache.find(key("app"), now, life) == nullptr);
  }
}

TEST_CASE("secret cache: the newest answer counts") {
  SecretCache cache;
  const ring::Instant now{};
  cache.put(key("app"), none(), now);
  cache.put(key("app"), found("new"), now + 1s);
  CHECK(cache.size() == 1);
  CHECK(cache.find(key("app"), now + life, life)->secret.text.reveal() == "new");
}

TEST_CASE("secret cache: made up names push out each other only") {
  SecretCache cache;
  const ring::Instant now{};
  cache.put(key("app"), found("a"), now);
  for (std::size_t i = 0; i < 3 * SecretCache::unknown_max; ++i)
    cache.put(key("nobody" + std::to_string(i)), none(), now);
  CHECK(cache.size() == SecretCache::unknown_max + 1);
  CHECK(cache.find(key("app"), now, life) != nullptr);
  CHECK(cache.find(key("nobody0"), now, life) == nullptr);
  for (std::size_t i = 0; i < SecretCache::known_max; ++i)
    cache.put(key("app" + std::to_string(i)), found("a"), now);
  CHECK(cache.size() == SecretCache::unknown_max + SecretCache::known_max);
  CHECK(cache.find(key("app"), now, life) == nullptr);
}

TEST_CASE("secret cache: what is old is dropped unasked") {
  SecretCache cache;
  const ring::Instant now{};
  cache.put(key("old"), found("a"), now);
  cache.put(key("older"), none(), now);
  cache.put(key("app"), found("a"), now + 1s);
  cache.drop_old(now + life, life);
  CHECK(cache.size() == 1);
  cache.clear();
  CHECK(cache.size() == 0);
  CHECK(cache.find(key("app"), now + 1s, life) == nullptr);
}
