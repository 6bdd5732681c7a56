#include "src/shard/client_limits.h"

#include <doctest/doctest.h>

using pgring::ClientLimits;
using Reached = ClientLimits::Reached;

TEST_CASE("client limits: the limit that is reached is named, and nothing is counted then") {
  ClientLimits limits;
  const ClientLimits::Limits few{.all = 3, .database = 2, .role = 1};
  CHECK(limits.enter("app", "a", few) == Reached::none);
  CHECK(limits.enter("app", "a", few) == Reached::role);
  CHECK(limits.enter("app", "b", few) == Reached::none);
  CHECK(limits.enter("app", "c", few) == Reached::database);
  CHECK(limits.enter("other", "c", few) == Reached::none);
  CHECK(limits.enter("other", "d", few) == Reached::all);
  CHECK(limits.counts("app", "a").all == 3);
  CHECK(limits.counts("app", "c").role == 1);
}

TEST_CASE("client limits: a place is free again when its client has left") {
  ClientLimits limits;
  const ClientLimits::Limits one{.all = 1};
  CHECK(limits.enter("app", "a", one) == Reached::none);
  CHECK(limits.enter("app", "a", one) == Reached::all);
  limits.leave("app", "a");
  CHECK(limits.counts("app", "a").database == 0);
  CHECK(limits.enter("app", "a", one) == Reached::none);
}
