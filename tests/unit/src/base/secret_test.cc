#include "src/base/secret.h"

#include <doctest/doctest.h>

#include <string>
#include <type_traits>
#include <utility>

using pgring::Secret;

static_assert(!std::is_copy_constructible_v<Secret> && !std::is_copy_assignable_v<Secret>);
static_assert(std::is_nothrow_move_constructible_v<Secret>);

TEST_CASE("secret: prints as stars, whatever it holds") {
  const Secret secret("hunter2");
  CHECK(fmt::format("[{}]", secret) == "[***]");
  CHECK(pgring::masked(secret) == "***");
  CHECK(pgring::masked(Secret()) == "");
  CHECK(secret.reveal() == "hunter2");
}

TEST_CASE("secret: a moved-from secret is empty, short ones included") {
  Secret from("abc");
  const Secret to(std::move(from));
  CHECK(to.reveal() == "abc");
  CHECK(from.empty());  // NOLINT: what is left behind is the point
  CHECK(from.reveal().empty());
  Secret target("old");
  target = to.clone();
  CHECK(target == to);
}

TEST_CASE("secret: equality is by content, zero bytes and all") {
  const std::string with_zero("a\0b", 3);
  CHECK(Secret(with_zero).equals(with_zero));
  CHECK_FALSE(Secret(with_zero).equals("a"));
  CHECK_FALSE(Secret("abc").equals("abd"));
  CHECK(Secret().equals(""));
}
