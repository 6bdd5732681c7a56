#include "wire/replication.h"

#include <doctest/doctest.h>

using wire::parse_replication;
using wire::Replication;

TEST_CASE("replication: \"database\" is logical, and any true of PostgreSQL's is physical") {
  CHECK(parse_replication("database") == Replication::logical);
  for (const auto* value : {"true", "t", "TRUE", "tRu", "yes", "y", "on", "ON", "1"}) {
    CAPTURE(value);
    CHECK(parse_replication(value) == Replication::physical);
  }
}

TEST_CASE("replication: any false of PostgreSQL's is an ordinary connection") {
  for (const auto* value : {"false", "f", "False", "no", "n", "off", "of", "0"}) {
    CAPTURE(value);
    CHECK(parse_replication(value) == Replication::none);
  }
}

TEST_CASE("replication: what PostgreSQL refuses is no value") {
  for (const auto* value : {"", "o", "Database", "databas", "truely", "2", "11", "onn", " on"}) {
    CAPTURE(value);
    CHECK_FALSE(parse_replication(value).has_value());
  }
}
