#include "ring/capabilities.h"

#include <doctest/doctest.h>

namespace {

using ring::Capabilities;

TEST_CASE("capabilities: each is set by its name, an unknown name is refused") {
  Capabilities found;
  CHECK(found.describe() == "-min_wait -credit_receive -send_vectorized");
  CHECK(found.set("min_wait", true));
  CHECK(found.min_wait);
  CHECK(found.set("credit_receive", true));
  CHECK(found.credit_receive);
  CHECK(found.set("send_vectorized", true));
  CHECK(found.send_vectorized);
  CHECK(found.describe() == "min_wait credit_receive send_vectorized");
  CHECK(found.set("credit_receive", false));
  CHECK(found.describe() == "min_wait -credit_receive send_vectorized");
  CHECK(!found.set("credit", false));
  CHECK(!found.set("", true));
}

TEST_CASE("capabilities: what is forced off is off, what the kernel lacks stays off") {
  Capabilities kernel = Capabilities::all();
  CHECK(kernel.set("send_vectorized", false));
  Capabilities allowed = Capabilities::all();
  CHECK(allowed.set("min_wait", false));
  CHECK((kernel & allowed).describe() == "-min_wait credit_receive -send_vectorized");
  CHECK((Capabilities{} & Capabilities::all()).describe() == Capabilities{}.describe());
}

}  // namespace
