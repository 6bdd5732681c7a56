#include "src/shard/secret_lookups.h"

#include <algorithm>
#include <utility>

namespace pgring {

SecretLookups::Asked SecretLookups::ask(const LookupKey& key, ring::Instant now,
                                        ring::Duration life, Done done) {
  const std::scoped_lock lock{mutex_};
  if (auto found = cache_.find(key, now, life)) {
    ++counters_.hits;
    return {.found = std::move(found), .to_begin = {}};
  }
  if (waiting_ >= waiting_max) return {.found = nullptr, .to_begin = {}, .is_refused = true};
  ++waiting_;
  const auto [at, is_new] = by_key_.try_emplace(key, next_id_);
  Lookup& lookup = lookups_[at->second];
  lookup.waiting.push_back(std::move(done));
  if (!is_new) {
    ++counters_.shared;
    return {};
  }
  lookup.key = key;
  ++counters_.asked;
  return {.found = nullptr, .to_begin = next_id_++};
}

void SecretLookups::is_asked(std::uint64_t id) {
  const std::scoped_lock lock{mutex_};
  const auto at = lookups_.find(id);
  if (at != lookups_.end()) at->second.is_asked = true;
}

void SecretLookups::answered(std::uint64_t id, const LookupResult& result, ring::Instant now) {
  std::vector<Done> waiting;
  {
    const std::scoped_lock lock{mutex_};
    const auto at = lookups_.find(id);
    if (at == lookups_.end()) return;
    Lookup& lookup = at->second;
    if (result.found == nullptr) {
      ++counters_.failed;
    } else {
      if (result.found->secret.kind == SecretKind::none) ++counters_.unknown;
      count_shape(*result.found);
      if (!lookup.is_outdated) cache_.put(lookup.key, result.found, now);
    }
    if (!lookup.is_outdated) by_key_.erase(lookup.key);
    waiting = std::move(lookup.waiting);
    waiting_ -= waiting.size();
    lookups_.erase(at);
  }
  for (auto& done : waiting) done(result);
}

void SecretLookups::doubt(const LookupKey& key, ring::Instant now) {
  const std::scoped_lock lock{mutex_};
  cache_.doubt(key, now);
}

bool SecretLookups::is_with_server(const LookupKey& key) const {
  const std::scoped_lock lock{mutex_};
  const auto at = by_key_.find(key);
  return at != by_key_.end() && lookups_.at(at->second).is_asked;
}

void SecretLookups::forget() {
  const std::scoped_lock lock{mutex_};
  cache_.clear();
  by_key_.clear();
  for (auto& [id, lookup] : lookups_) lookup.is_outdated = true;
}

void SecretLookups::drop_old(ring::Instant now, ring::Duration life) {
  const std::scoped_lock lock{mutex_};
  cache_.drop_old(now, life);
}

void SecretLookups::count_shape(const FoundSecret& found) {
  if (found.secret.kind == SecretKind::none) return;
  const SecretShape shape = shape_of(found.secret);
  const auto at = std::ranges::find_if(
      shapes_, [&](const Shape& one) { return one.count == 0 || one.shape == shape; });
  if (at == shapes_.end()) return;
  at->shape = shape;
  ++at->count;
}

std::optional<SecretShape> SecretLookups::usual_shape() const {
  const std::scoped_lock lock{mutex_};
  const auto most = std::ranges::max_element(shapes_, {}, &Shape::count);
  if (most->count == 0) return std::nullopt;
  return most->shape;
}

LookupCounters SecretLookups::counters() const {
  const std::scoped_lock lock{mutex_};
  LookupCounters counters = counters_;
  counters.cached = cache_.size();
  return counters;
}

}  // namespace pgring
