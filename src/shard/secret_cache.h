// What auth.query said of roles a moment ago.
//
// What:   an answer serves logins for as long as `life`; also that there is no such role, and for as long, so that the time
//         a login takes does not say which it was. A failed login makes an answer doubtful: then the next login asks
//         again, but of one role not more often than every doubt_after.
// Owner:  SecretLookups, which locks it. Clock: `now` is given, and never goes back.
// Limits: known_max roles with a secret, unknown_max without: names that somebody makes up push out each other only.
// Errors: none.
#pragma once

#include <compare>
#include <cstddef>
#include <list>
#include <map>
#include <string>

#include "ring/clock.h"
#include "src/auth/found_secret.h"
#include "src/config/lookup_place.h"

namespace pgring {

struct LookupKey {
  LookupPlace place;
  std::string role;
  friend auto operator<=>(const LookupKey&, const LookupKey&) = default;
};

class SecretCache {
 public:
  // Nullptr: not known, or not any more.
  [[nodiscard]] FoundSecretRef find(const LookupKey& key, ring::Instant now, ring::Duration life);
  void put(const LookupKey& key, FoundSecretRef found, ring::Instant now);
  // A login failed by what is known of the role.
  void doubt(const LookupKey& key, ring::Instant now);
  // Drops what is older than `life`: secrets do not stay in memory for longer than they are of use.
  void drop_old(ring::Instant now, ring::Duration life);
  void clear();
  [[nodiscard]] std::size_t size() const { return places_.size(); }

  static constexpr std::size_t known_max = 8192;
  static constexpr std::size_t unknown_max = 2048;
  static constexpr ring::Duration doubt_after = std::chrono::seconds{1};

 private:
  struct Entry {
    LookupKey key;
    FoundSecretRef found;
    ring::Instant at{};
  };
  using Entries = std::list<Entry>;  // oldest first
  [[nodiscard]] static bool is_known(const FoundSecret& found) {
    return found.secret.kind != SecretKind::none;
  }
  void drop(std::map<LookupKey, Entries::iterator>::iterator place);
  void drop_oldest(Entries& entries);

  Entries known_, unknown_;
  std::map<LookupKey, Entries::iterator> places_;
};

}  // namespace pgring
