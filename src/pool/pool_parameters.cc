#include "src/pool/pool_parameters.h"

#include <algorithm>
#include <cstddef>

namespace pgring {
namespace {

// Startup parameter sets that are remembered; clients bring few different ones.
constexpr std::size_t canonical_max = 256;

bool equal(const ParameterList& a, const ParameterList& b) {
  return std::ranges::equal(a, b, [](const Parameter& one, const Parameter& other) {
    return one.name == other.name && one.value == other.value;
  });
}

}  // namespace

Defaults PoolParameters::intern(ParameterList reported) {
  const std::scoped_lock lock{mutex_};
  if (defaults_ == nullptr || !equal(*defaults_, reported))
    defaults_ = std::make_shared<const ParameterList>(std::move(reported));
  return defaults_;
}

Defaults PoolParameters::defaults() const {
  const std::scoped_lock lock{mutex_};
  return defaults_;
}

std::optional<ParameterList> PoolParameters::canonical(const ParameterList& asked) const {
  if (asked.empty()) return asked;
  const std::scoped_lock lock{mutex_};
  const auto at = std::ranges::find_if(
      canonical_, [&](const Known& known) { return equal(known.first, asked); });
  return at == canonical_.end() ? std::nullopt : std::optional{at->second};
}

void PoolParameters::remember_canonical(const ParameterList& asked,
                                        const ParameterList& canonical) {
  if (asked.empty()) return;
  const std::scoped_lock lock{mutex_};
  if (std::ranges::any_of(canonical_,
                          [&](const Known& known) { return equal(known.first, asked); }))
    return;
  if (canonical_.size() == canonical_max) canonical_.erase(canonical_.begin());
  canonical_.emplace_back(asked, canonical);
}

}  // namespace pgring
