#include "ring/slice.h"

#include <doctest/doctest.h>

#include <cstring>
#include <string>

#include "ring/buffer_group.h"
#include "ring/slice_room.h"
#include "tests/ring_support/pattern.h"
#include "tests/simulation/kernel_sim.h"

namespace {

using ring::Slice;
using ring_test::text_of;

static_assert(std::is_nothrow_move_constructible_v<Slice> &&
              std::is_nothrow_move_assignable_v<Slice>);
static_assert(!std::is_copy_constructible_v<Slice>);

TEST_CASE("slice: a copy has bytes of its own and shares them on request") {
  std::string text = "select 1";
  Slice whole = Slice::copy_of(text);
  text = "xxxxxxxx";
  CHECK(text_of(whole) == "select 1");
  CHECK(!whole.holds_buffer());
  const Slice part = whole.share(7, 1);
  whole = Slice{};
  CHECK(whole.empty());
  // The last share frees: the leak and use-after-free detectors watch.
  CHECK(text_of(part) == "1");
}

TEST_CASE("slice: static text and nothing need no holder") {
  const Slice text = Slice::of_static("ready");
  CHECK(text_of(text.share(1, 3)) == "ead");
  CHECK(Slice::copy_of("").empty());
  CHECK(Slice{}.share(0, 0).empty());
}

TEST_CASE("slice: moving leaves nothing behind, onto itself changes nothing") {
  Slice from = Slice::copy_of("abc");
  Slice to = std::move(from);
  CHECK(from.empty());  // NOLINT(bugprone-use-after-move): what is tested
  Slice& same = to;
  to = std::move(same);
  CHECK(text_of(to) == "abc");
  to.drop_front(1);
  CHECK(text_of(to) == "bc");
}

TEST_CASE("slice: only what follows in the same block continues") {
  const Slice whole = Slice::copy_of("abcdef");
  Slice head = whole.share(0, 2);
  CHECK(head.continues_with(whole.share(2, 2)));
  CHECK(!head.continues_with(whole.share(3, 2)));
  CHECK(!head.continues_with(whole.share(0, 2)));
  const Slice stranger = Slice::copy_of("cd");
  CHECK(!head.continues_with(stranger));
  // Static texts may lie side by side without being one object.
  constexpr std::string_view text = "abcd";
  CHECK(!Slice::of_static(text.substr(0, 2)).continues_with(Slice::of_static(text.substr(2))));
  head.append(whole.share(2, 3));
  CHECK(text_of(head) == "abcde");
}

TEST_CASE("slice: a buffer goes back with the last share, not before") {
  sim::World world{1, sim::Faults::none()};
  ring::Kernel kernel;
  REQUIRE(!kernel.open({}));
  ring::BufferGroup group{kernel};
  REQUIRE(group.open({.id = 0, .size = 4096, .count_min = 4, .count_max = 4}) == 0);
  const auto [socket, peer] = world.connection();
  auto end = peer;
  REQUIRE(end.write("hello") == 5);
  kernel.receive(socket, 0, ring::ReceiveKind::one_shot, 0, {ring::Operation::receive, 0, 0});
  ring::Completion completion;
  while (kernel.reap({&completion, 1}) == 0) kernel.enter({});
  REQUIRE(completion.has_buffer());
  Slice whole = group.take(completion.buffer_id(), static_cast<std::uint32_t>(completion.result));
  CHECK(whole.holds_buffer());
  Slice part = whole.share(0, static_cast<std::uint32_t>(completion.result));
  whole = Slice{};
  CHECK(!group.all_free());
  CHECK(text_of(part) == std::string_view{"hello"}.substr(0, part.size()));
  part = Slice{};
  CHECK(group.all_free());
  group.publish();
  kernel.close(socket);
}

TEST_CASE("slice room: small slices share a block, which is used again when nobody has a share") {
  ring::SliceRoom room{64};
  const auto put = [&](std::string_view text) {
    const auto space = room.reserve(static_cast<std::uint32_t>(text.size()));
    REQUIRE(space.size() >= text.size());
    std::memcpy(space.data(), text.data(), text.size());
    return room.take(static_cast<std::uint32_t>(text.size()));
  };
  const std::byte* first = nullptr;
  {
    const Slice one = put("one");
    const Slice two = put("two");
    CHECK(text_of(one) == "one");
    CHECK(text_of(two) == "two");
    CHECK(one.continues_with(two));
    first = one.bytes().data();
  }
  const Slice again = put("again");
  CHECK(again.bytes().data() == first);
  // One that is held keeps its bytes, wherever the next ones go.
  const std::string long_text(60, 'l');
  const Slice large = put(long_text);
  CHECK(text_of(again) == "again");
  CHECK(text_of(large) == long_text);
  const std::string longer_text(1000, 'm');
  CHECK(text_of(put(longer_text)) == longer_text);
}

TEST_CASE("slice: what nobody else has a share of may be written to") {
  Slice slice = Slice::copy_of("secret");
  CHECK(slice.is_only_share());
  slice.writable()[0] = std::byte{'S'};
  CHECK(text_of(slice) == "Secret");
  const Slice other = slice.share(0, 1);
  CHECK(!slice.is_only_share());
}

}  // namespace
