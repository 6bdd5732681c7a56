#include "tests/simulation/buffers.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "ring/poison.h"

namespace sim {
namespace {

// What a buffer looks like while the kernel owns it. Not all of a large one: that would be most of the time.
constexpr auto scribble = std::byte{0xdb};
constexpr std::uint32_t scribbled_max = 512;

}  // namespace

BufferRings::Group& BufferRings::get(std::uint16_t group) {
  const auto found = groups_.find(group);
  if (found == groups_.end()) network_.fail("there is no buffer group " + std::to_string(group));
  return found->second;
}

const BufferRings::Group& BufferRings::get(std::uint16_t group) const {
  const auto found = groups_.find(group);
  if (found == groups_.end()) network_.fail("there is no buffer group " + std::to_string(group));
  return found->second;
}

int BufferRings::add_group(std::uint16_t group, std::uint32_t entries) {
  if (!std::has_single_bit(entries) || entries > 32768) return -EINVAL;
  if (groups_.contains(group)) return -EEXIST;
  groups_[group].entries = entries;
  return 0;
}

void BufferRings::provide(std::uint16_t group, std::byte* memory, std::uint32_t size,
                          std::uint16_t id) {
  Group& entry = get(group);
  bool& owned = entry.owned[id];
  if (owned) network_.fail("buffer " + std::to_string(id) + " is provided twice");
  if (entry.owned_count == entry.entries)
    network_.fail("more buffers are provided than the ring has entries");
  owned = true;
  ++entry.owned_count;
  entry.provided.push_back({memory, size, id});
  memory_[memory] = size;
  ring::unpoison(memory, size);
  std::memset(memory, static_cast<int>(scribble), std::min(size, scribbled_max));
  ring::poison(memory, size);
}

void BufferRings::publish(std::uint16_t group) {
  Group& entry = get(group);
  if (!entry.provided.empty()) network_.stir();
  entry.published.insert(entry.published.end(), entry.provided.begin(), entry.provided.end());
  entry.provided.clear();
}

bool BufferRings::any_free(std::uint16_t group) const { return !get(group).published.empty(); }
std::uint32_t BufferRings::next_size(std::uint16_t group) const {
  return get(group).published.front().size;
}

std::uint16_t BufferRings::fill(std::uint16_t group, std::string_view bytes) {
  Group& entry = get(group);
  const Buffer buffer = entry.published.front();
  entry.published.pop_front();
  ring::unpoison(buffer.memory, buffer.size);
  const auto scribbled = std::min(buffer.size, scribbled_max);
  if (std::any_of(buffer.memory, buffer.memory + scribbled,
                  [](std::byte byte) { return byte != scribble; })) {
    network_.fail("buffer " + std::to_string(buffer.id) + " was written while the kernel owned it");
  }
  std::memcpy(buffer.memory, bytes.data(), bytes.size());
  ring::poison(buffer.memory, buffer.size);
  entry.owned[buffer.id] = false;
  --entry.owned_count;
  memory_.erase(buffer.memory);
  return buffer.id;
}

void BufferRings::check_not_ours(const std::byte* data, std::size_t size) const {
  auto next = memory_.lower_bound(data);
  if (next != memory_.end() && next->first < data + size)
    network_.fail("bytes to be sent lie in a buffer the kernel owns");
  if (next == memory_.begin()) return;
  --next;
  if (next->first + next->second > data)
    network_.fail("bytes to be sent lie in a buffer the kernel owns");
}

}  // namespace sim
