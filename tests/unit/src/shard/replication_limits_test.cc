#include "src/shard/replication_limits.h"

#include <doctest/doctest.h>

using pgring::ReplicationLimits;

TEST_CASE("replication limits: each server has its own, and what has left makes room") {
  ReplicationLimits limits;
  CHECK(limits.enter("main", 2));
  CHECK(limits.enter("main", 2));
  CHECK_FALSE(limits.enter("main", 2));
  CHECK(limits.count("main") == 2);
  CHECK(limits.enter("other", 1));
  limits.leave("main");
  CHECK(limits.enter("main", 2));
  CHECK(limits.count("main") == 2);
  CHECK(limits.count("other") == 1);
}

TEST_CASE("replication limits: a limit of none, or one that fell, lets nobody in") {
  ReplicationLimits limits;
  CHECK_FALSE(limits.enter("main", 0));
  CHECK(limits.count("main") == 0);
  CHECK(limits.enter("main", 2));
  CHECK(limits.enter("main", 2));
  CHECK_FALSE(limits.enter("main", 1));
  limits.leave("main");
  CHECK_FALSE(limits.enter("main", 1));
}
