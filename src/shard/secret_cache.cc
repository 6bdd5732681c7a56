#include "src/shard/secret_cache.h"

#include <utility>

namespace pgring {

FoundSecretRef SecretCache::find(const LookupKey& key, ring::Instant now, ring::Duration life) {
  const auto at = places_.find(key);
  if (at == places_.end()) return nullptr;
  if (now - at->second->at < life) return at->second->found;
  drop(at);
  return nullptr;
}

void SecretCache::put(const LookupKey& key, FoundSecretRef found, ring::Instant now) {
  if (const auto at = places_.find(key); at != places_.end()) drop(at);
  Entries& entries = is_known(*found) ? known_ : unknown_;
  entries.push_back({.key = key, .found = std::move(found), .at = now});
  places_.emplace(key, std::prev(entries.end()));
  if (known_.size() > known_max) drop_oldest(known_);
  if (unknown_.size() > unknown_max) drop_oldest(unknown_);
}

void SecretCache::doubt(const LookupKey& key, ring::Instant now) {
  const auto at = places_.find(key);
  if (at != places_.end() && now - at->second->at >= doubt_after) drop(at);
}

void SecretCache::drop_old(ring::Instant now, ring::Duration life) {
  for (Entries* const entries : {&known_, &unknown_}) {
    while (!entries->empty() && now - entries->front().at >= life) drop_oldest(*entries);
  }
}

void SecretCache::clear() {
  places_.clear();
  known_.clear();
  unknown_.clear();
}

void SecretCache::drop(std::map<LookupKey, Entries::iterator>::iterator place) {
  const auto entry = place->second;
  Entries& entries = is_known(*entry->found) ? known_ : unknown_;
  places_.erase(place);
  entries.erase(entry);
}

void SecretCache::drop_oldest(Entries& entries) { drop(places_.find(entries.front().key)); }

}  // namespace pgring
