// Goal: groups come out in the order in which they went in, whole, and their places are used again.
#include "src/server/staged_group.h"

#include <doctest/doctest.h>

#include <array>

using pgring::Request;
using pgring::StagedGroup;
using pgring::StagedGroups;

TEST_CASE("staged groups: first in, first out, also when it grows in the middle") {
  StagedGroups groups;
  CHECK(groups.empty());
  std::uint64_t next_in = 1;
  std::uint64_t next_out = 1;
  for (const auto& [in, out] :
       std::array<std::array<int, 2>, 5>{{{3, 1}, {1, 2}, {7, 3}, {20, 20}, {1, 6}}}) {
    for (int i = 0; i < in; ++i) {
      StagedGroup& group = groups.push();
      CHECK(group.client == nullptr);
      CHECK(group.requests.empty());
      CHECK(&group == &groups.back());
      group.fingerprint = next_in++;
      group.requests.push(Request::query);
      group.group = ring::Slice::copy_of("a group");
    }
    for (int i = 0; i < out; ++i) {
      CHECK(groups.front().fingerprint == next_out++);
      CHECK(groups.front().requests.size() == 1);
      groups.pop();
    }
    for (std::uint32_t i = 0; i < groups.size(); ++i)
      CHECK(groups.at(i).fingerprint == next_out + i);
  }
  CHECK(groups.empty());
}

TEST_CASE("staged groups: one stays where it is while others come and go") {
  StagedGroups groups;
  groups.push();
  StagedGroup& kept = groups.push();
  kept.fingerprint = 7;
  for (int i = 0; i < 100; ++i) groups.push();
  groups.pop();
  CHECK(&groups.front() == &kept);
  CHECK(kept.fingerprint == 7);
}
