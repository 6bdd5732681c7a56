#include "src/shard/failed_logins.h"

#include <algorithm>
#include <string>

namespace pgring {
namespace {

// Beyond so many failures more make no difference, and are not remembered for longer.
constexpr int counted_max = 20;

std::uint64_t mixed(std::uint64_t value) {  // splitmix64's end
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
  return value ^ (value >> 31);
}

}  // namespace

FailedLogins::FailedLogins(std::uint64_t seed) : seed_{seed}, tables_{std::make_unique<Tables>()} {}

std::uint64_t FailedLogins::key_of(std::string_view bytes) const {
  std::uint64_t key = seed_;
  for (const char byte : bytes) key = mixed(key ^ static_cast<unsigned char>(byte)) + seed_;
  return key == 0 ? 1 : key;  // 0 is a place that nobody has
}

std::uint64_t FailedLogins::key_of(const std::optional<IpAddress>& address) const {
  if (!address) return key_of(std::string_view{"unix"});
  const IpAddress known = address->unmapped();
  std::string text = known.text();
  if (known.family() == IpAddress::Family::v6) text = known.prefix(64).text() + "/64";
  return key_of(text);
}

ring::Duration FailedLogins::debt(const Table& table, std::uint64_t key, ring::Instant now) {
  for (const Place& place : table[key % buckets]) {
    if (place.key == key && place.forgotten > now) return place.forgotten - now;
  }
  return ring::Duration{0};
}

ring::Duration FailedLogins::add(Table& table, std::uint64_t key, ring::Instant now) {
  auto& bucket = table[key % buckets];
  auto place = std::find_if(bucket.begin(), bucket.end(),
                            [key](const Place& one) { return one.key == key; });
  if (place == bucket.end()) {
    place = std::min_element(bucket.begin(), bucket.end(), [](const Place& a, const Place& b) {
      return a.forgotten < b.forgotten;
    });
    *place = {key, now};
  }
  place->forgotten =
      std::min(std::max(place->forgotten, now) + forget_after, now + counted_max * forget_after);
  return place->forgotten - now;
}

ring::Duration FailedLogins::delay(ring::Duration debt, ring::Duration longest) {
  // Failures that are not forgotten yet, one begun counts.
  const auto failures = (debt + forget_after - ring::Duration{1}) / forget_after;
  if (failures <= free_failures) return ring::Duration{0};
  const auto doublings = std::min<std::int64_t>(failures - free_failures - 1, counted_max);
  return std::min(first_delay * (std::int64_t{1} << doublings), longest);
}

ring::Duration FailedLogins::delay_of_check(const Who& who, ring::Instant now,
                                            ring::Duration longest) const {
  const std::scoped_lock lock{mutex_};
  return std::min(delay(debt(tables_->addresses, key_of(who.address), now), longest),
                  delay(debt(tables_->roles, key_of(who.role), now), longest));
}

ring::Duration FailedLogins::delay_of_refusal(const Who& who, ring::Instant now,
                                              ring::Duration longest) {
  const std::scoped_lock lock{mutex_};
  const auto address = add(tables_->addresses, key_of(who.address), now);
  const auto role = add(tables_->roles, key_of(who.role), now);
  return std::max(delay(address, longest), delay(role, longest));
}

}  // namespace pgring
