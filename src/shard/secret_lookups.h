// Who waits for which role's secret, and what is known already: between the logins of all shards and the pools that ask.
//
// What:   ask() has the answer, or says that it is on its way, or that the caller has to begin the look-up. Of one role at one
//         place there is never more than one: who asks meanwhile waits for the same.
// Owner:  Shared; any thread, at logins only. Callbacks are called without the lock, on the thread that has the answer.
// Life:   longer than the pools.
// Limits: as many waiting logins as waiting_max; further ones are refused.
// Errors: a look-up that failed is told to all who wait for it, and not remembered.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "src/auth/secret_shapes.h"
#include "src/server/secret_lookup.h"
#include "src/shard/secret_cache.h"

namespace pgring {

struct LookupCounters {
  std::uint64_t asked = 0;    // PostgreSQL, that is
  std::uint64_t hits = 0;     // logins that found an answer here
  std::uint64_t shared = 0;   // logins that waited for another's look-up
  std::uint64_t unknown = 0;  // answers without a secret
  std::uint64_t failed = 0;
  std::uint64_t cached = 0;  // answers that are here now
};

class SecretLookups {
 public:
  using Done = std::move_only_function<void(const LookupResult&)>;
  struct Asked {
    FoundSecretRef found;                   // or null:
    std::optional<std::uint64_t> to_begin;  // the look-up's id, which the caller has to begin
    bool is_refused = false;                // too many wait; `done` will not be called
  };
  [[nodiscard]] Asked ask(const LookupKey& key, ring::Instant now, ring::Duration life, Done done);

  // The pool's: it is with PostgreSQL now; it is over.
  void is_asked(std::uint64_t id);
  void answered(std::uint64_t id, const LookupResult& result, ring::Instant now);

  // A login failed by what auth.query had said.
  void doubt(const LookupKey& key, ring::Instant now);
  // Whether PostgreSQL has been asked and not answered; else there is no connection to ask by.
  [[nodiscard]] bool is_with_server(const LookupKey& key) const;
  // A reload: nothing is known any more, and what is on its way serves those only who wait for it already.
  void forget();
  void drop_old(ring::Instant now, ring::Duration life);
  // How the secrets look that most of the roles asked for so far have; of no roles: nothing.
  [[nodiscard]] std::optional<SecretShape> usual_shape() const;
  [[nodiscard]] LookupCounters counters() const;

  static constexpr std::size_t waiting_max = 20'000;

 private:
  struct Lookup {
    LookupKey key;
    std::vector<Done> waiting;
    bool is_asked = false;
    bool is_outdated = false;
  };
  struct Shape {
    SecretShape shape;
    std::uint64_t count = 0;
  };
  void count_shape(const FoundSecret& found);

  mutable std::mutex mutex_;
  SecretCache cache_;
  std::map<std::uint64_t, Lookup> lookups_;    // on their way
  std::map<LookupKey, std::uint64_t> by_key_;  // those that are not outdated
  std::size_t waiting_ = 0;
  std::uint64_t next_id_ = 1;
  std::array<Shape, 8> shapes_;  // the first so many; others are rare
  LookupCounters counters_;
};

}  // namespace pgring
