#include "src/statement/known_texts.h"

#include <algorithm>
#include <functional>

#include "wire/byte_reader.h"

namespace pgring {
namespace {

// Further than that a text is not held in place by having come often.
constexpr std::uint8_t weight_max = 15;

}  // namespace

std::uint64_t ParseSeen::hash() const {
  constexpr std::uint64_t odd = 0x9e3779b97f4a7c15;
  const std::hash<std::string_view> of;
  std::uint64_t hash = of(text_and_types);
  if (!settings.empty()) hash = (hash ^ of(settings)) * odd;
  if (unnamed) hash = ~hash;
  return hash;
}

bool ParseSeen::asks_for(const StatementKey& key) const {
  if (key.unnamed != unnamed || !text_and_types.starts_with(key.text)) return false;
  const std::string_view rest = text_and_types.substr(key.text.size());
  if (rest.size() != 1 + 2 + key.types.size() * 4 || rest.front() != '\0') return false;
  wire::ByteReader reader{std::as_bytes(std::span{rest}).subspan(1)};
  if (reader.read_u16() != key.types.size()) return false;
  return std::ranges::all_of(key.types,
                             [&reader](std::uint32_t type) { return reader.read_u32() == type; }) &&
         key.settings == settings;
}

std::span<KnownTexts::Entry, KnownTexts::places> KnownTexts::set_of(std::uint64_t hash) {
  if (table_ == nullptr) table_ = std::make_unique<Table>();
  return (*table_)[(hash >> 32) % sets];
}

KnownTexts::Entry* KnownTexts::see(std::uint64_t hash) {
  const auto set = set_of(hash);
  for (Entry& entry : set) {
    if (entry.hash != hash || entry.seen == 0) continue;
    if (entry.seen < shared_from) ++entry.seen;
    if (entry.weight < weight_max) ++entry.weight;
    return &entry;
  }
  const auto free = std::ranges::find(set, 0, &Entry::seen);
  // Which one gives way is as good as chance, so that each of the four loses weight.
  Entry& place = free != set.end() ? *free : set[(hash >> 24) % places];
  if (place.weight > 0) {
    --place.weight;
    return nullptr;
  }
  place = {.hash = hash, .seen = 1, .weight = 1, .refused = false, .statement = {}};
  return &place;
}

void KnownTexts::forget(std::uint64_t hash) {
  for (Entry& entry : set_of(hash)) {
    if (entry.hash == hash) entry = {};
  }
}

}  // namespace pgring
