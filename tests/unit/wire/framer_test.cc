#include "wire/framer.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using wire::Framer;
using namespace std::string_view_literals;
using namespace std::string_literals;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span{text});
}

struct Message {
  char type = 0;
  std::uint64_t size = 0;
  std::string bytes;
  friend bool operator==(const Message&, const Message&) = default;
};

// What a relay would see and pass on, whatever the chunks are.
struct Walk {
  std::vector<Message> messages;
  bool malformed = false;

  void feed(Framer& framer, std::string_view chunk) {
    std::uint32_t position = 0;
    Framer::Part part;
    for (;;) {
      const auto before = position;
      const auto outcome = framer.next(bytes_of(chunk), position, part);
      if (outcome == Framer::Outcome::malformed) malformed = true;
      if (outcome != Framer::Outcome::part) return;
      REQUIRE(position > before);
      REQUIRE(part.offset == before);
      REQUIRE(part.offset + part.length == position);
      if (part.begins) {
        messages.push_back({part.type, part.size, {}});
        const auto carried = framer.carried(part);
        messages.back().bytes.assign(reinterpret_cast<const char*>(carried.data()), carried.size());
      }
      messages.back().bytes += chunk.substr(part.offset, part.length);
      CHECK(part.ends == (messages.back().bytes.size() == part.size));
    }
  }
};

std::string stream_of_messages() {
  std::string stream = "Q\0\0\0\x0dselect 1\0S\0\0\0\4X\0\0\0\4"s;
  stream += "d\0\0\1\4"sv;
  stream += std::string(256, 'x');
  stream += "Z\0\0\0\5I"sv;
  return stream;
}

}  // namespace

TEST_CASE("framer: cutting the stream at any two bytes gives the same messages") {
  const std::string stream = stream_of_messages();
  Walk whole;
  Framer framer;
  whole.feed(framer, stream);
  REQUIRE(whole.messages.size() == 5);
  CHECK(framer.at_boundary());
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    for (std::size_t second = first; second <= std::min(stream.size(), first + 12); ++second) {
      Walk cut;
      Framer again;
      cut.feed(again, std::string_view{stream}.substr(0, first));
      cut.feed(again, std::string_view{stream}.substr(first, second - first));
      cut.feed(again, std::string_view{stream}.substr(second));
      REQUIRE(cut.messages == whole.messages);
      REQUIRE(again.at_boundary());
    }
  }
}

TEST_CASE("framer: a byte at a time is enough") {
  const std::string stream = stream_of_messages();
  Walk walk;
  Framer framer;
  for (const char byte : stream) walk.feed(framer, std::string_view{&byte, 1});
  CHECK(walk.messages.size() == 5);
  std::string joined;
  for (const auto& message : walk.messages) joined += message.bytes;
  CHECK(joined == stream);
}

TEST_CASE("framer: a length below four is malformed, wherever the header is cut") {
  for (const auto header : {"Q\0\0\0\3"sv, "Q\0\0\0\0"sv}) {
    for (std::size_t cut = 0; cut < header.size(); ++cut) {
      Walk walk;
      Framer framer;
      walk.feed(framer, header.substr(0, cut));
      CHECK_FALSE(walk.malformed);
      walk.feed(framer, header.substr(cut));
      CHECK(walk.malformed);
      CHECK(walk.messages.empty());
    }
  }
}

TEST_CASE("framer: the largest length there is does not wrap") {
  Framer framer;
  std::uint32_t position = 0;
  Framer::Part part;
  const auto chunk = bytes_of("Q\xff\xff\xff\xff...."sv);
  REQUIRE(framer.next(chunk, position, part) == Framer::Outcome::part);
  CHECK(part.size == 0x1'0000'0000);
  CHECK(part.begins);
  CHECK_FALSE(part.ends);
  CHECK(framer.inside_body());
}

TEST_CASE("framer: a part put back is yielded again") {
  // Method: put the second message back, at every cut of its header over two chunks.
  const auto first = "S\0\0\0\4"sv;
  const auto second = "Q\0\0\0\6a\0"sv;
  for (std::uint32_t cut = 0; cut < 5; ++cut) {
    CAPTURE(cut);
    const std::string chunk = std::string{first} + std::string{second.substr(0, cut)};
    const std::string rest{second.substr(cut)};
    Framer framer;
    Walk walk;
    walk.feed(framer, chunk);
    std::uint32_t position = 0;
    Framer::Part part;
    REQUIRE(framer.next(bytes_of(rest), position, part) == Framer::Outcome::part);
    CHECK(part.carried == cut);
    framer.unread(part);
    Walk again;
    again.feed(framer, std::string_view{rest}.substr(part.offset));
    REQUIRE(again.messages.size() == 1);
    CHECK(again.messages[0].bytes == second);
  }
}

TEST_CASE("framer: random bytes always come to an end") {
  std::mt19937 random{7};
  for (int round = 0; round < 2000; ++round) {
    Framer framer;
    Walk walk;
    for (int chunk = 0; chunk < 4 && !walk.malformed; ++chunk) {
      std::string bytes(random() % 40, '\0');
      for (char& byte : bytes) byte = static_cast<char>(random() % 4 == 0 ? random() : 0);
      walk.feed(framer, bytes);
    }
  }
}
