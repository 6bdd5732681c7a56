// sql_name_table.h: names in groups, put into a hash table while compiling. Hot path: see sql_sharing.h.
//
// What:   NameTable<Groups> finds the group that a name stands in. `Groups` is a constexpr array of structs with
//         `names`: small letters, with spaces between them. Nothing is allocated, nothing is built at start.
//         A name that stands in two groups, or twice in one, does not compile.
#ifndef WIRE_SQL_NAME_TABLE_H_
#define WIRE_SQL_NAME_TABLE_H_

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace wire {

[[nodiscard]] constexpr std::uint32_t name_hash(std::string_view name) noexcept {
  std::uint32_t hash = 0x811c9dc5U;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x01000193U;
  return hash ^ (hash >> 15);
}

// Calls found(name) for each of the names.
template <class Found>
constexpr void for_each_name(std::string_view names, Found&& found) {
  while (!names.empty()) {
    const std::size_t end =
        names.find(' ') == std::string_view::npos ? names.size() : names.find(' ');
    if (end > 0) found(names.substr(0, end));
    names.remove_prefix(end == names.size() ? end : end + 1);
  }
}

template <const auto& Groups>
class NameTable {
 public:
  using Group = typename std::remove_cvref_t<decltype(Groups)>::value_type;

  // Nullptr: in no group. `hash` is name_hash(name).
  [[nodiscard]] static constexpr const Group* find(std::string_view name,
                                                   std::uint32_t hash) noexcept {
    for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
      const Slot& slot = table.slots[i];
      if (slot.name.empty()) return nullptr;
      if (slot.name == name) return &Groups[slot.group];
    }
  }
  [[nodiscard]] static constexpr const Group* find(std::string_view name) noexcept {
    return find(name, name_hash(name));
  }

 private:
  struct Slot {
    std::string_view name;
    std::size_t group = 0;
  };

  static constexpr std::size_t name_count = [] {
    std::size_t count = 0;
    for (const Group& group : Groups)
      for_each_name(group.names, [&](std::string_view) { ++count; });
    return count;
  }();
  static constexpr std::size_t mask = std::bit_ceil(name_count * 3) - 1;

  struct Table {
    std::array<Slot, mask + 1> slots{};
    bool twice = false;
  };

  static constexpr Table make() {
    Table made;
    for (std::size_t g = 0; g < Groups.size(); ++g) {
      for_each_name(Groups[g].names, [&](std::string_view name) {
        std::size_t i = name_hash(name) & mask;
        while (!made.slots[i].name.empty()) {
          made.twice = made.twice || made.slots[i].name == name;
          i = (i + 1) & mask;
        }
        made.slots[i] = {name, g};
      });
    }
    return made;
  }

  static constexpr Table table = make();
  static_assert(!table.twice, "a name stands in the groups twice");
};

}  // namespace wire

#endif  // WIRE_SQL_NAME_TABLE_H_
