// One look-up of a role at a time, whoever waits for it, and what is told to them.
#include "src/shard/secret_lookups.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace pgring;
using namespace std::chrono_literals;

namespace {

constexpr ring::Duration life = 10s;
constexpr std::string_view scram =
    "SCRAM-SHA-256$10000:AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

LookupKey key(const std::string& role) {
  return {.place = {.server = "main", .dbname = "postgres", .query = "SELECT $1, $1"},
          .role = role};
}

LookupResult found(std::string_view text, SecretKind kind) {
  return {.found = std::make_shared<const FoundSecret>(
              FoundSecret{.secret = {Secret{text}, kind}, .why_none = {}}),
          .error = {}};
}

// What the logins were told, one word each.
struct Told {
  std::vector<std::string> texts;
  SecretLookups::Done done() {
    return [this](const LookupResult& result) {
      texts.push_back(result.found == nullptr ? result.error.message
                                              : std::string{result.found->secret.text.reveal()});
    };
  }
};

}  // namespace

TEST_CASE("secret lookups: many logins of one role are one look-up, those of another another") {
  SecretLookups lookups;
  Told told;
  const auto first = lookups.ask(key("app"), {}, life, told.done());
  REQUIRE(first.to_begin);
  for (int i = 0; i < 5; ++i) CHECK_FALSE(lookups.ask(key("app"), {}, life, told.done()).to_begin);
  const auto other = lookups.ask(key("other"), {}, life, told.done());
  REQUIRE(other.to_begin);
  CHECK(*other.to_begin != *first.to_begin);
  lookups.answered(*first.to_begin, found("secret", SecretKind::plain), {});
  CHECK(told.texts == std::vector<std::string>(6, "secret"));
  // From here on it is known.
  CHECK(lookups.ask(key("app"), {}, life, told.done()).found != nullptr);
  const auto counters = lookups.counters();
  CHECK(counters.asked == 2);
  CHECK(counters.shared == 5);
  CHECK(counters.hits == 1);
  CHECK(counters.cached == 1);
}

TEST_CASE("secret lookups: a failure is told to all and not remembered") {
  SecretLookups lookups;
  Told told;
  const auto asked = lookups.ask(key("app"), {}, life, told.done());
  (void)lookups.ask(key("app"), {}, life, told.done());
  LookupResult failed;
  failed.error.message = "down";
  lookups.answered(*asked.to_begin, failed, {});
  CHECK(told.texts == std::vector<std::string>(2, "down"));
  CHECK(lookups.ask(key("app"), {}, life, told.done()).to_begin);
  CHECK(lookups.counters().failed == 1);
}

TEST_CASE("secret lookups: after a reload an old answer serves those only who waited for it") {
  SecretLookups lookups;
  Told told;
  const auto before = lookups.ask(key("app"), {}, life, told.done());
  lookups.forget();
  const auto after = lookups.ask(key("app"), {}, life, told.done());
  REQUIRE(after.to_begin);
  lookups.answered(*before.to_begin, found("old", SecretKind::plain), {});
  CHECK(told.texts == std::vector<std::string>{"old"});
  CHECK_FALSE(lookups.ask(key("app"), {}, life, told.done()).to_begin);
  lookups.answered(*after.to_begin, found("new", SecretKind::plain), {});
  CHECK(told.texts == std::vector<std::string>{"old", "new", "new"});
  const auto known = lookups.ask(key("app"), {}, life, told.done());
  REQUIRE(known.found != nullptr);
  CHECK(known.found->secret.text.reveal() == "new");
}

TEST_CASE("secret lookups: where PostgreSQL has been asked is known until it has answered") {
  SecretLookups lookups;
  Told told;
  const auto asked = lookups.ask(key("app"), {}, life, told.done());
  CHECK_FALSE(lookups.is_with_server(key("app")));
  lookups.is_asked(*asked.to_begin);
  CHECK(lookups.is_with_server(key("app")));
  lookups.answered(*asked.to_begin, found("secret", SecretKind::plain), {});
  CHECK_FALSE(lookups.is_with_server(key("app")));
}

TEST_CASE("secret lookups: no more logins wait than may") {
  SecretLookups lookups;
  Told told;
  for (std::size_t i = 0; i < SecretLookups::waiting_max; ++i)
    CHECK_FALSE(lookups.ask(key("app"), {}, life, told.done()).is_refused);
  const auto refused = lookups.ask(key("other"), {}, life, told.done());
  CHECK(refused.is_refused);
  CHECK_FALSE(refused.to_begin);
}

TEST_CASE("secret lookups: the usual shape is that of most answers") {
  SecretLookups lookups;
  Told told;
  CHECK_FALSE(lookups.usual_shape());
  const auto tell = [&](const std::string& role, const LookupResult& result) {
    lookups.answered(*lookups.ask(key(role), {}, life, told.done()).to_begin, result, {});
  };
  tell("plain", found("secret", SecretKind::plain));
  tell("a", found(scram, SecretKind::scram_sha_256));
  tell("b", found(scram, SecretKind::scram_sha_256));
  tell("nobody", found("", SecretKind::none));
  REQUIRE(lookups.usual_shape());
  CHECK(*lookups.usual_shape() == SecretShape{SecretKind::scram_sha_256, 10000});
  CHECK(lookups.counters().unknown == 1);
}
