#include "src/base/result.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>

using pgring::Result;
using pgring::Unexpected;

TEST_CASE("result: holds a value or an error, also of one and the same type") {
  const Result<std::string, std::string> good("value");
  const Result<std::string, std::string> bad(Unexpected(std::string("error")));
  REQUIRE(good);
  CHECK(*good == "value");
  CHECK(good->size() == 5);
  REQUIRE_FALSE(bad);
  CHECK(bad.error() == "error");
  CHECK(bad.value_or("other") == "other");
  CHECK(good.value_or("other") == "value");
}

TEST_CASE("result: moves what cannot be copied in and out") {
  Result<std::unique_ptr<int>, int> result(std::make_unique<int>(7));
  const std::unique_ptr<int> taken = std::move(result).value();
  CHECK(*taken == 7);
}

TEST_CASE("result: of nothing tells success from failure") {
  const Result<void, int> good;
  const Result<void, int> bad(Unexpected(3));
  CHECK(good.has_value());
  REQUIRE_FALSE(bad.has_value());
  CHECK(bad.error() == 3);
}
