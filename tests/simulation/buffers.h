// The provided-buffer rings of one simulated kernel. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string_view>
#include <vector>

#include "tests/simulation/network.h"

namespace sim {

class BufferRings {
 public:
  explicit BufferRings(Network& network) : network_{network} {}

  [[nodiscard]] int add_group(std::uint16_t group, std::uint32_t entries);
  void provide(std::uint16_t group, std::byte* memory, std::uint32_t size, std::uint16_t id);
  void publish(std::uint16_t group);

  [[nodiscard]] bool any_free(std::uint16_t group) const;
  [[nodiscard]] std::uint32_t next_size(std::uint16_t group) const;  // REQUIRES: any_free(group)
  // Fills the oldest published buffer, which is the application's from now on; returns its id.
  [[nodiscard]] std::uint16_t fill(std::uint16_t group, std::string_view bytes);
  // Fails when the kernel owns any of these bytes.
  void check_not_ours(const std::byte* data, std::size_t size) const;

 private:
  struct Buffer {
    std::byte* memory = nullptr;
    std::uint32_t size = 0;
    std::uint16_t id = 0;
  };
  struct Group {
    std::uint32_t entries = 0;
    std::deque<Buffer> published;
    std::vector<Buffer> provided;
    std::map<std::uint16_t, bool> owned;  // by id: the kernel's
    std::uint32_t owned_count = 0;
  };
  [[nodiscard]] Group& get(std::uint16_t group);
  [[nodiscard]] const Group& get(std::uint16_t group) const;

  Network& network_;
  std::map<std::uint16_t, Group> groups_;
  std::map<const std::byte*, std::uint32_t> memory_;  // all the kernel owns: start and size
};

}  // namespace sim
