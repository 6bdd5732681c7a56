#include "src/pool/placement.h"

#include <algorithm>

#include "src/base/check.h"
#include "src/pool/pool_terms.h"

namespace pgring {

void PoolFailure::set(const wire::ParsedError& error, ring::Instant until) {
  const std::scoped_lock lock{mutex_};
  error_ = error;
  until_.store(until.time_since_epoch().count(), std::memory_order_relaxed);
}

std::optional<wire::ParsedError> PoolFailure::at(ring::Instant now) const {
  if (now.time_since_epoch().count() >= until_.load(std::memory_order_relaxed)) return std::nullopt;
  const std::scoped_lock lock{mutex_};
  return error_;
}

bool PoolKeys::set(const std::optional<wire::ScramKeys>& keys, const FoundSecret* found) {
  const std::scoped_lock lock{mutex_};
  bool changed = false;
  if (keys) {
    changed = !keys_ || keys_->client_key != keys->client_key;
    keys_ = keys;
  }
  if (found != nullptr && found->secret.kind != SecretKind::none) {
    const StoredSecret& secret = found->secret;
    const bool is_use = secret.kind != SecretKind::scram_sha_256;
    const bool was = found_.has_value();
    changed = changed || was != is_use || (was && !(found_->text == secret.text));
    if (is_use) {
      found_ = StoredSecret{secret.text.clone(), secret.kind};
    } else {
      found_.reset();
    }
  }
  return changed;
}

std::optional<StoredSecret> PoolKeys::found() const {
  const std::scoped_lock lock{mutex_};
  if (!found_) return std::nullopt;
  return StoredSecret{found_->text.clone(), found_->kind};
}

PoolKey lookup_key(const Config& config, const LookupPlace& place) {
  return {.database = "auth.query",
          .role = config.auth.role,
          .server = place.server,
          .dbname = place.dbname};
}

std::optional<wire::ScramKeys> PoolKeys::get() const {
  const std::scoped_lock lock{mutex_};
  return keys_;
}

PoolHome& Placement::home(const PoolKey& key, const Config& config) {
  const std::scoped_lock lock{mutex_};
  auto& home = homes_[key];
  if (home == nullptr) {
    const PoolTerms terms = pool_terms(config, key);
    const std::uint32_t parts = std::clamp(terms.size / connections_per_part, 1U, shards_);
    std::vector<std::uint32_t> shards;
    shards.reserve(parts);
    for (std::uint32_t part = 0; part < parts; ++part) shards.push_back((next_ + part) % shards_);
    next_ = (next_ + parts) % shards_;
    home = std::make_unique<PoolHome>(key, std::move(shards));
    home->budget_id = budget_.add_pool(terms, home->board);
    POOLER_CHECK(home->budget_id == by_id_.size());
    by_id_.push_back(home.get());
  }
  return *home;
}

PoolHome& Placement::home(PoolId id) {
  const std::scoped_lock lock{mutex_};
  return *by_id_[id];
}

Definitions& Placement::definitions(const std::string& host, std::uint32_t port,
                                    const std::string& dbname) {
  const std::scoped_lock lock{mutex_};
  return definitions_[{host, port, dbname}];
}

std::vector<PoolHome*> Placement::homes() {
  const std::scoped_lock lock{mutex_};
  std::vector<PoolHome*> all;
  all.reserve(homes_.size());
  for (const auto& [key, home] : homes_) all.push_back(home.get());
  return all;
}

void Placement::configure(const Config& config, ring::Instant now) {
  for (const auto& [name, server] : config.servers)
    budget_.set_server(
        name, {.max_connections = server.max_connections, .keep_free = server.keep_free}, now);
  std::vector<PoolHome*> homes;
  {
    const std::scoped_lock lock{mutex_};
    homes = by_id_;
  }
  for (const PoolHome* const home : homes) {
    // A database that was taken out goes on with what it had until its clients have left.
    if (is_configured(config, home->key))
      budget_.set_pool(home->budget_id, pool_terms(config, home->key), now);
  }
}

std::uint32_t Placement::least_loaded(const PoolHome& home) {
  std::uint32_t best = 0;
  for (std::uint32_t part = 1; part < home.parts(); ++part) {
    if (home.clients[part].load(std::memory_order_relaxed) <
        home.clients[best].load(std::memory_order_relaxed))
      best = part;
  }
  return best;
}

}  // namespace pgring
