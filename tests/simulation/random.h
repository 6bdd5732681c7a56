// The one source of chance in a simulation: the same seed gives the same run on every machine, which the
// standard library's distributions do not promise. Source: SplitMix64 (Steele, Lea, Flood 2014).
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace sim {

class Random {
 public:
  explicit Random(std::uint64_t seed) : state_{seed} {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  // 0 … limit-1. REQUIRES: limit > 0.
  std::uint64_t below(std::uint64_t limit) { return next() % limit; }
  // first … last, both possible.
  std::uint64_t between(std::uint64_t first, std::uint64_t last) {
    return first + below(last - first + 1);
  }
  bool chance(unsigned permille) { return permille != 0 && below(1000) < permille; }
  // Mostly small, seldom near the limit: sizes as traffic has them. 1 … limit.
  std::size_t size(std::size_t limit) {
    std::uint64_t reach = 1;
    while (reach < limit && below(4) != 0) reach *= 4;
    return static_cast<std::size_t>(between(1, reach < limit ? reach : limit));
  }
  template <class Value>
  void shuffle(std::vector<Value>& values) {
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

 private:
  std::uint64_t state_;
};

}  // namespace sim
