#include "src/budget/others.h"

#include <algorithm>

#include "src/base/check.h"

namespace pgring {
namespace {

// An empty name is one not known here.
bool may_be(const std::string& known, const std::string& wanted) {
  return known.empty() || known == wanted;
}

// Takes a connection that is being opened and that `backend` may be the other end of. `exactly`: by name.
bool take_opening(std::vector<Opening>& opening, const Backend& backend, bool exactly) {
  const auto fits = [&](const Opening& one) {
    if (one.count == 0) return false;
    if (exactly) return one.role == backend.role && one.database == backend.database;
    return may_be(backend.role, one.role) && may_be(backend.database, one.database);
  };
  const auto at = std::ranges::find_if(opening, fits);
  if (at == opening.end()) return false;
  --at->count;
  return true;
}

}  // namespace

void OurPids::add(std::uint32_t pid) {
  ++open_[pid];
  ++open_count_;
}

void OurPids::remove(std::uint32_t pid, ring::Instant now) {
  const auto at = open_.find(pid);
  POOLER_CHECK(at != open_.end());
  if (--at->second == 0) open_.erase(at);
  --open_count_;
  ended_[pid] = now;
  ended_order_.emplace_back(now, pid);
  while (now - ended_order_.front().first > memory) {
    const auto [when, old] = ended_order_.front();
    ended_order_.pop_front();
    // It may have ended again since.
    if (const auto ended = ended_.find(old); ended != ended_.end() && ended->second == when)
      ended_.erase(ended);
  }
}

void OurPids::lose(std::uint32_t pid, ring::Instant now) {
  remove(pid, now);
  lost_[pid] = now;
}

void OurPids::answered(const Facts& facts, bool another, ring::Instant asked) {
  std::erase_if(lost_, [&](const auto& lost) {
    if (lost.second >= asked) return false;
    return another ||
           std::ranges::find(facts.backends, lost.first, &Backend::pid) == facts.backends.end();
  });
}

bool OurPids::contains(std::uint32_t pid, ring::Instant now) const {
  if (open_.contains(pid) || lost_.contains(pid)) return true;
  const auto at = ended_.find(pid);
  return at != ended_.end() && now - at->second <= memory;
}

bool Ours::contains(std::uint32_t pid, ring::Instant now) const {
  return std::ranges::any_of(pids, [&](const OurPids* one) { return one->contains(pid, now); });
}

std::uint64_t Ours::open() const {
  std::uint64_t count = 0;
  for (const OurPids* const one : pids) count += one->open();
  return count;
}

OthersCounter::Poll OthersCounter::tally(const Facts& facts, const Ours& ours, ring::Instant now) {
  Poll poll;
  std::vector<Opening> left = ours.opening;
  if (!ours.contains(facts.own_pid, now)) {
    // Something between us and PostgreSQL gives its connections pids of its own: only numbers can be compared.
    std::uint64_t mine = ours.open();
    for (const auto& one : left) mine += one.count;
    const auto clients =
        static_cast<std::uint64_t>(std::ranges::count_if(facts.backends, &Backend::client));
    poll.total.estimated = static_cast<std::uint32_t>(clients - std::min(clients, mine));
    return poll;
  }
  std::vector<const Backend*> unknown;
  for (const Backend& backend : facts.backends) {
    if (backend.client && !ours.contains(backend.pid, now)) unknown.push_back(&backend);
  }
  for (const bool exactly : {true, false}) {
    std::erase_if(unknown, [&](const Backend* one) { return take_opening(left, *one, exactly); });
  }
  for (const Backend* const backend : unknown) {
    const auto add = [&](Tally& tally) {
      ++(backend->estimated ? tally.estimated : tally.certain);
    };
    add(poll.total);
    if (!backend->role.empty()) add(poll.by_role[backend->role]);
    if (!backend->database.empty()) add(poll.by_database[backend->database]);
  }
  return poll;
}

std::map<std::string, std::uint32_t> OthersCounter::smoothed(const Tallies& now,
                                                             const Tallies* before) {
  std::map<std::string, std::uint32_t> counts;
  for (const auto& [name, tally] : now) {
    std::uint32_t estimated = tally.estimated;
    if (before != nullptr) {
      const auto at = before->find(name);
      estimated = std::min(estimated, at == before->end() ? 0 : at->second.estimated);
    }
    if (tally.certain + estimated > 0) counts[name] = tally.certain + estimated;
  }
  return counts;
}

Others OthersCounter::count(const Facts& facts, const Ours& ours, ring::Instant now) {
  if (facts.system_identifier != system_identifier_ || facts.started_us != started_us_)
    before_known_ = false;
  system_identifier_ = facts.system_identifier;
  started_us_ = facts.started_us;

  Poll poll = tally(facts, ours, now);
  const Poll* const before = before_known_ ? &before_ : nullptr;
  Others others;
  const std::uint32_t estimated = before == nullptr
                                      ? poll.total.estimated
                                      : std::min(poll.total.estimated, before->total.estimated);
  others.total = poll.total.certain + estimated;
  others.by_role = smoothed(poll.by_role, before == nullptr ? nullptr : &before->by_role);
  others.by_database =
      smoothed(poll.by_database, before == nullptr ? nullptr : &before->by_database);
  others.estimated = poll.total.estimated > 0 || !ours.contains(facts.own_pid, now);
  before_ = std::move(poll);
  before_known_ = true;
  return others;
}

}  // namespace pgring
