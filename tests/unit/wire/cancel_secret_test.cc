#include "wire/cancel_secret.h"

#include <doctest/doctest.h>

#include <set>
#include <string>

#include "tests/unit/wire/bytes.h"
#include "wire/limits.h"

namespace {

constexpr std::size_t short_size = wire::cancel_secret_size_min;
constexpr std::size_t long_size = wire::cancel_secret_size_3_2;

}  // namespace

TEST_CASE("cancel secret: it has the length asked for and is the same every time") {
  const wire::CancelSecrets secrets;
  for (const std::size_t size : {short_size, long_size}) {
    const std::string secret = secrets.secret(7, 9, size);
    CHECK(secret.size() == size);
    CHECK(secrets.secret(7, 9, size) == secret);
    CHECK(secrets.matches(wire::as_bytes(secret), 7, 9, size));
  }
}

TEST_CASE("cancel secret: every client, every user of a slot and every process has another one") {
  const wire::CancelSecrets secrets;
  const wire::CancelSecrets other_process;
  std::set<std::string> seen;
  for (std::uint32_t pid = 0; pid < 100; ++pid) {
    for (std::uint64_t serial = 0; serial < 10; ++serial) {
      // The upper half of a serial counts too.
      seen.insert(secrets.secret(pid, serial << 32, long_size));
      seen.insert(secrets.secret(pid, serial + 1000, long_size));
      seen.insert(other_process.secret(pid, serial + 1000, long_size));
    }
  }
  CHECK(seen.size() == 3000);
}

TEST_CASE("cancel secret: the short one is no part of the long one") {
  const wire::CancelSecrets secrets;
  const std::string whole = secrets.secret(7, 9, long_size);
  CHECK(whole.substr(0, short_size) != secrets.secret(7, 9, short_size));
}

TEST_CASE("cancel secret: one wrong bit, another client's, a piece and a longer one do not match") {
  const wire::CancelSecrets secrets;
  for (const std::size_t size : {short_size, long_size}) {
    const std::string right = secrets.secret(7, 9, size);
    for (std::size_t bit = 0; bit < 8 * size; ++bit) {
      std::string wrong = right;
      wrong[bit / 8] = static_cast<char>(wrong[bit / 8] ^ (1 << (bit % 8)));
      CHECK_FALSE(secrets.matches(wire::as_bytes(wrong), 7, 9, size));
    }
    CHECK_FALSE(secrets.matches(wire::as_bytes(right), 8, 9, size));
    CHECK_FALSE(secrets.matches(wire::as_bytes(right), 7, 8, size));
    CHECK_FALSE(secrets.matches(wire::as_bytes(right).first(size - 1), 7, 9, size));
    CHECK_FALSE(secrets.matches(wire::as_bytes(right + '\0'), 7, 9, size));
    CHECK_FALSE(secrets.matches({}, 7, 9, size));
  }
}
