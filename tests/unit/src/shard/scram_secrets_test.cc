// SCRAM secrets of plain passwords: made by workers, once for each password.
#include "src/shard/scram_secrets.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <thread>

#include "src/shard/system_names.h"

using namespace pgring;

namespace {

const std::string process_secret(32, 's');

UserList users_of(const std::string& role, const std::string& password) {
  UserList users;
  users[role] = {Secret{password}, SecretKind::plain};
  return users;
}

// Makes it and waits for it.
ScramSecrets::Made made(ScramSecrets& secrets, Workers& workers, const std::string& role,
                        std::string_view password) {
  std::promise<void> done;
  REQUIRE(secrets.make(workers, role, password, process_secret, [&done] { done.set_value(); }));
  done.get_future().wait();
  return secrets.find(role, password);
}

}  // namespace

TEST_CASE("scram secrets: one is made by a worker and found from then on") {
  Workers workers;
  ScramSecrets secrets;
  CHECK(secrets.find("app", "word") == nullptr);
  const auto first = made(secrets, workers, "app", "word");
  REQUIRE(first != nullptr);
  const auto keys = wire::scram_keys_from_password("word", first->salt, first->iterations);
  REQUIRE(keys);
  CHECK(wire::scram_keys_match(*keys, *first));
  CHECK(secrets.find("app", "other") == nullptr);
  CHECK(secrets.find("someone", "word") == nullptr);
}

TEST_CASE("scram secrets: asked for by many at once, one is made once") {
  Workers workers;
  ScramSecrets secrets;
  // No worker is free until all have asked.
  std::promise<void> go;
  const std::shared_future<void> may_go = go.get_future().share();
  std::atomic<std::size_t> held{0};
  for (std::size_t i = 0; i < Workers::thread_count; ++i) {
    REQUIRE(workers.post([&held, may_go] {
      ++held;
      may_go.wait();
    }));
  }
  while (held < Workers::thread_count) std::this_thread::yield();
  std::atomic<int> done{0};
  std::promise<void> all;
  for (int i = 0; i < 100; ++i) {
    REQUIRE(secrets.make(workers, "app", "word", process_secret, [&] {
      if (++done == 100) all.set_value();
    }));
  }
  // Had each asked for work, those behind them could not.
  for (std::size_t i = 1; i < Workers::waiting_max; ++i) REQUIRE(workers.post([] {}));
  CHECK_FALSE(workers.post([] {}));
  go.set_value();
  all.get_future().wait();
  CHECK(secrets.find("app", "word") != nullptr);
}

TEST_CASE("scram secrets: a reload keeps what is still the password, and forgets the rest") {
  Workers workers;
  ScramSecrets secrets;
  const auto first = made(secrets, workers, "app", "word");
  secrets.keep_only(users_of("app", "word"));
  CHECK(secrets.find("app", "word") == first);
  secrets.keep_only(users_of("app", "changed"));
  CHECK(secrets.find("app", "word") == nullptr);
  const auto changed = made(secrets, workers, "app", "changed");
  REQUIRE(changed != nullptr);
  CHECK(changed->salt == first->salt);
  CHECK(changed->stored_key != first->stored_key);
}

TEST_CASE("scram secrets: where no more work is taken, make says so") {
  Workers workers;
  workers.stop();
  ScramSecrets secrets;
  CHECK_FALSE(secrets.make(workers, "app", "word", process_secret, [] {}));
}

TEST_CASE("workers: what waits at the stop is destroyed unrun") {
  std::promise<void> running;
  std::promise<void> go;
  std::atomic<int> runs{0};
  {
    Workers workers;
    for (std::size_t i = 0; i < Workers::thread_count; ++i) {
      REQUIRE(workers.post([&, i] {
        ++runs;
        if (i == 0) {
          running.set_value();
          go.get_future().wait();
        }
      }));
    }
    running.get_future().wait();
    go.set_value();
    workers.stop();
    CHECK_FALSE(workers.post([&] { runs = 1000; }));
  }
  CHECK(runs < 1000);
}

TEST_CASE("system names: root is called root, for a while, and nobody has the last id") {
  Workers workers;
  SystemNames names;
  const ring::Instant now{};
  const auto ask = [&](uid_t id) {
    std::promise<void> done;
    REQUIRE(names.ask(workers, id, now, [&done] { done.set_value(); }));
    done.get_future().wait();
  };
  CHECK_FALSE(names.find(0, now));
  ask(0);
  REQUIRE(names.find(0, now));
  CHECK(names.find(0, now)->name == "root");
  CHECK_FALSE(names.find(0, now + std::chrono::hours{1}));
  ask(4'000'000'000);
  REQUIRE(names.find(4'000'000'000, now));
  CHECK_FALSE(names.find(4'000'000'000, now)->name);
  CHECK_FALSE(names.find(4'000'000'000, now + std::chrono::seconds{2}));
}
