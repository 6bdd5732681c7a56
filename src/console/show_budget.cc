// SHOW BUDGET: how many server connections may be, and are. SHOW WAITS: who has none, and why.
#include <algorithm>
#include <map>

#include "src/console/show.h"
#include "src/shard/shard.h"

namespace pgring::console {
namespace {

constexpr std::uint64_t us_per_s = 1'000'000;

using Explanations = std::map<PoolId, WaitExplanation>;

void number_or_null(Rows& rows, std::optional<Count> value) {
  value ? rows.number(*value) : rows.null();
}

// Of every pool with waiters: once, however many they are.
Explanations explain_all(const View& view) {
  Explanations all;
  for (const auto& report : view.reports) {
    for (const auto& wait : report.waits) all.try_emplace(wait.pool);
  }
  view.shard.shared().budget.read([&](const Budget& budget, ring::Instant at) {
    const auto now = std::max(at, view.shard.now());
    for (auto& [pool, why] : all) why = explain_wait(budget, pool, now);
  });
  return all;
}

void put_reason(Rows& rows, const WaitReport& wait, const WaitExplanation& why) {
  if (wait.paused) {
    rows.text("paused");
    rows.text(explain_pause(wait.database).limit);
    return;
  }
  const bool comes = wait.coming != Reason::none;
  rows.text(name_of(comes ? wait.coming : why.reason));
  // What stops the pool is not what this one waits for.
  if (comes && wait.coming != why.reason) {
    rows.text("one is coming for it");
  } else {
    rows.text(why.limit);
  }
}

void put_row(Rows& rows, std::uint64_t shard, const WaitReport& wait, const WaitExplanation& why) {
  rows.number(shard);
  rows.number(wait.id);
  rows.text(wait.user);
  rows.text(wait.database);
  rows.text(wait.application_name);
  rows.text(time_text(wait.since));
  rows.number(wait.wait_us / us_per_s);
  rows.number(wait.wait_us % us_per_s);
  put_reason(rows, wait, why);
}

}  // namespace

Rows show_budget(std::span<const BudgetLine> lines) {
  Rows rows{columns_of({.verb = Verb::show, .topic = Topic::budget})};
  for (const auto& line : lines) {
    rows.text(line.server);
    rows.text(line.scope);
    rows.text(line.name);
    number_or_null(rows, line.limit);
    rows.number(line.used());
    for (const auto state :
         {PermitState::open, PermitState::opening, PermitState::closing, PermitState::lost})
      rows.number(line.count[static_cast<std::size_t>(state)]);
    number_or_null(rows, line.others);
    number_or_null(rows, line.headroom());
    rows.number(line.waiting);
    rows.text(line.source);
  }
  return rows;
}

// The longest wait first.
Rows show_waits(const View& view) {
  struct Wait {
    std::uint64_t shard;
    const WaitReport* report;
  };
  std::vector<Wait> waits;
  for (std::size_t shard = 0; shard < view.reports.size(); ++shard) {
    for (const auto& wait : view.reports[shard].waits) waits.push_back({shard, &wait});
  }
  std::ranges::sort(waits, [](const Wait& a, const Wait& b) {
    return a.report->wait_us != b.report->wait_us ? a.report->wait_us > b.report->wait_us
                                                  : a.report->id < b.report->id;
  });
  const Explanations explanations = explain_all(view);
  Rows rows{columns_of({.verb = Verb::show, .topic = Topic::waits})};
  for (const auto& wait : waits)
    put_row(rows, wait.shard, *wait.report, explanations.at(wait.report->pool));
  return rows;
}

}  // namespace pgring::console
