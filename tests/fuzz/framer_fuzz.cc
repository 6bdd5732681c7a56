// A stream of messages, in one piece or cut where the input says: the same messages, and always an end.
// The first byte of the input is how the rest is cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "wire/framer.h"

namespace {

struct Seen {
  std::vector<std::uint64_t> sizes;  // of the messages begun
  std::uint64_t bytes = 0;           // of their parts and carried headers
  bool malformed = false;
};

void feed(wire::Framer& framer, std::span<const std::byte> chunk, Seen& seen) {
  std::uint32_t position = 0;
  wire::Framer::Part part;
  while (!seen.malformed) {
    const auto before = position;
    const auto outcome = framer.next(chunk, position, part);
    if (outcome == wire::Framer::Outcome::malformed) seen.malformed = true;
    if (outcome != wire::Framer::Outcome::part) return;
    if (position <= before || position > chunk.size() || part.offset + part.length != position)
      std::abort();
    if (part.begins) {
      seen.sizes.push_back(part.size);
      seen.bytes += framer.carried(part).size();
    }
    seen.bytes += part.length;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = data[0] % 16 + std::size_t{1};
  const auto stream = std::as_bytes(std::span{data, size}).subspan(1);
  Seen whole;
  wire::Framer framer;
  feed(framer, stream, whole);

  Seen cut;
  wire::Framer again;
  for (std::size_t at = 0; at < stream.size(); at += step)
    feed(again, stream.subspan(at, std::min(step, stream.size() - at)), cut);
  if (cut.malformed != whole.malformed || cut.sizes != whole.sizes || cut.bytes != whole.bytes)
    std::abort();
  if (!cut.malformed && framer.at_boundary() != again.at_boundary()) std::abort();
  return 0;
}
