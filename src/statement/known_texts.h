// The texts a shard's clients have prepared lately, and which of them have a statement that stands in for the next Parse.
// Hot path: a look-up for each Parse that could be spared.
//
// What:   a table of fixed size, by a hash of what a Parse says: four places for each of its sets. A text that is
//         new takes a free place, or that of one that has lost all its weight; a text that finds no place takes weight
//         from another. So texts that come once do not drive out those that come again and again. A
//         text gets a statement from the third time on.
// Owner:  a Pool, on its shard. Holds a share of each of its statements.
// Cost:   nothing is allocated but the table, at the first Parse.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "src/statement/statement.h"

namespace pgring {

// A Parse behind its name, as it came; views into it.
struct ParseSeen {
  std::string_view text_and_types;  // text, zero byte, count, types
  std::string_view settings;        // see planning_settings()
  bool unnamed = false;

  [[nodiscard]] std::uint64_t hash() const;
  // Whether a statement of this key is what it asks for.
  [[nodiscard]] bool asks_for(const StatementKey& key) const;
};

class KnownTexts {
 public:
  static constexpr std::uint8_t shared_from = 3;  // times seen
  static constexpr std::size_t places = 4;
  static constexpr std::size_t sets = 128;

  struct Entry {
    std::uint64_t hash = 0;
    std::uint8_t seen = 0;  // no further than shared_from
    std::uint8_t weight = 0;
    bool refused = false;    // what has this hash is not to have a statement
    StatementRef statement;  // of what was seen last with this hash; none yet
  };

  // Counts it as seen. None: it has no place yet. Valid until the next call.
  [[nodiscard]] Entry* see(std::uint64_t hash);
  // It did not work out: begins anew.
  void forget(std::uint64_t hash);

 private:
  [[nodiscard]] std::span<Entry, places> set_of(std::uint64_t hash);
  using Table = std::array<std::array<Entry, places>, sets>;
  std::unique_ptr<Table> table_;
};

}  // namespace pgring
