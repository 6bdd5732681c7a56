#include "ring/completion.h"

#include <doctest/doctest.h>

#include <initializer_list>

namespace {

using ring::Completion;
using ring::Operation;
using ring::UserData;

TEST_CASE("user data: packing and unpacking keeps every field") {
  for (const Operation operation :
       {Operation::none, Operation::accept, Operation::receive, Operation::wake}) {
    for (const std::uint32_t generation : {0U, 1U, 0x800000U, 0xffffffU}) {
      for (const std::uint32_t slot : {0U, 1U, 0x80000000U, 0xffffffffU}) {
        const auto back = UserData::unpack(UserData{operation, generation, slot}.pack());
        CHECK(back.operation == operation);
        CHECK(back.generation == generation);
        CHECK(back.slot == slot);
      }
    }
  }
}

TEST_CASE("user data: a generation beyond 24 bits does not spill into the operation") {
  const auto back = UserData::unpack(UserData{Operation::send, 0xff000001U, 7}.pack());
  CHECK(back.operation == Operation::send);
  CHECK(back.generation == 1);
  CHECK(back.slot == 7);
}

TEST_CASE("completion: the flags are those of the kernel's interface") {
  const Completion completion{.user_data = 0, .result = 5, .flags = 0xabcd0003U};
  CHECK(completion.has_buffer());
  CHECK(completion.more());
  CHECK(completion.buffer_id() == 0xabcd);
  CHECK(!Completion{}.more());
  CHECK(!Completion{}.has_buffer());
}

}  // namespace
