#include "src/budget/facts_desk.h"

#include <algorithm>
#include <utility>

#include "src/base/check.h"

namespace pgring {
namespace {

constexpr ring::Duration retry_first = std::chrono::seconds{1};

std::shared_ptr<const FactsDesk::Question> make_question(FactsNames names) {
  auto question = std::make_shared<FactsDesk::Question>();
  question->sql = facts_query(names);
  question->names = std::move(names);
  return question;
}

}  // namespace

FactsDesk::FactsDesk(FactsDesks& all, std::string server)
    : all_{all}, server_{std::move(server)}, question_{make_question({})} {}

std::optional<FactsDesk::Claim> FactsDesk::claim(ring::Instant now, ring::Duration max_age) {
  const std::scoped_lock lock{all_.mutex_};
  if (now < claimed_until_ || now < retry_at_) return std::nullopt;
  const bool old = latest_ == nullptr || now - latest_->at >= max_age;
  if (!old && !due(now)) return std::nullopt;
  claimed_until_ = now + claim_limit;
  set_due(claimed_until_);
  return Claim{.number = ++claims_, .at = now, .question = question_};
}

std::shared_ptr<const Learned> FactsDesk::learned(const Claim& claim, Facts facts,
                                                  ring::Instant now) {
  const std::scoped_lock lock{all_.mutex_};
  if (claim.number < answered_) return nullptr;
  answered_ = claim.number;
  if (claim.number == claims_) claimed_until_ = {};
  retry_at_ = {};
  retry_after_ = {};
  // A role that may not read the identifier asked: it is still the same instance.
  if (facts.system_identifier == 0 && latest_ != nullptr &&
      latest_->facts.started_us == facts.started_us)
    facts.system_identifier = latest_->facts.system_identifier;
  const bool another = latest_ != nullptr && latest_->facts.started_us != facts.started_us;
  pids_.answered(facts, another, claim.at);
  auto learned = std::make_shared<Learned>();
  learned->others = counter_.count(facts, ours(facts), now);
  learned->facts = std::move(facts);
  learned->asked = claim.at;
  learned->at = now;
  latest_ = std::move(learned);
  // Names may have come in meanwhile. An older claim's answer does not end the later claim.
  if (claim.number == claims_) set_due(claim.question == question_ ? now + interval_ : now);
  return latest_;
}

Ours FactsDesk::ours(const Facts& facts) const {
  Ours ours;
  add_ours(ours);
  for (const auto& [server, desk] : all_.desks_) {
    if (desk.get() == this || desk->latest_ == nullptr) continue;
    const Facts& known = desk->latest_->facts;
    if (known.system_identifier == facts.system_identifier && known.started_us == facts.started_us)
      desk->add_ours(ours);
  }
  return ours;
}

void FactsDesk::add_ours(Ours& ours) const {
  ours.pids.push_back(&pids_);
  for (const auto& [names, count] : opening_)
    ours.opening.push_back({names.first, names.second, count});
}

void FactsDesk::failed(const Claim& claim, ring::Instant now) {
  const std::scoped_lock lock{all_.mutex_};
  if (claim.number != claims_) return;
  claimed_until_ = {};
  retry_after_ = std::clamp(retry_after_ * 2, retry_first, ring::Duration{retry_max});
  retry_at_ = now + retry_after_;
  set_due(retry_at_);
}

void FactsDesk::ask_soon() {
  const std::scoped_lock lock{all_.mutex_};
  if (retry_at_ == ring::Instant{}) set_due({});
}

std::shared_ptr<const Learned> FactsDesk::latest() const {
  const std::scoped_lock lock{all_.mutex_};
  return latest_;
}

void FactsDesk::set_interval(ring::Duration interval) {
  const std::scoped_lock lock{all_.mutex_};
  if (interval == interval_) return;
  interval_ = interval;
  const bool answered = latest_ != nullptr && answered_ == claims_ && retry_at_ == ring::Instant{};
  if (answered && !due(latest_->at)) set_due(latest_->at + interval);
}

ring::Duration FactsDesk::interval() const {
  const std::scoped_lock lock{all_.mutex_};
  return interval_;
}

void FactsDesk::use(std::string_view role, std::string_view database) {
  const std::scoped_lock lock{all_.mutex_};
  const FactsNames& known = question_->names;
  const bool role_known = std::ranges::find(known.roles, role) != known.roles.end();
  const bool database_known = std::ranges::find(known.databases, database) != known.databases.end();
  if (role_known && database_known) return;
  FactsNames names = known;
  if (!role_known) names.roles.emplace_back(role);
  if (!database_known) names.databases.emplace_back(database);
  question_ = make_question(std::move(names));
  if (retry_at_ == ring::Instant{}) set_due({});
}

void FactsDesk::opening(const std::string& role, const std::string& database) {
  const std::scoped_lock lock{all_.mutex_};
  ++opening_[{role, database}];
}

void FactsDesk::drop_opening(const std::string& role, const std::string& database) {
  const auto at = opening_.find({role, database});
  POOLER_CHECK(at != opening_.end());
  if (--at->second == 0) opening_.erase(at);
}

void FactsDesk::identified(const std::string& role, const std::string& database,
                           std::uint32_t pid) {
  const std::scoped_lock lock{all_.mutex_};
  drop_opening(role, database);
  pids_.add(pid);
}

void FactsDesk::closed(std::uint32_t pid, ring::Instant now) {
  const std::scoped_lock lock{all_.mutex_};
  pids_.remove(pid, now);
}

void FactsDesk::lost(std::uint32_t pid, ring::Instant now) {
  const std::scoped_lock lock{all_.mutex_};
  pids_.lose(pid, now);
}

void FactsDesk::never_identified(const std::string& role, const std::string& database) {
  const std::scoped_lock lock{all_.mutex_};
  drop_opening(role, database);
}

bool FactsDesk::may_warn(ring::Instant now) {
  const std::scoped_lock lock{all_.mutex_};
  if (warned_at_ && now - *warned_at_ < warning_interval) return false;
  warned_at_ = now;
  return true;
}

bool FactsDesk::first_estimate() {
  const std::scoped_lock lock{all_.mutex_};
  return !std::exchange(estimate_told_, true);
}

FactsDesk& FactsDesks::desk(const std::string& server) {
  const std::scoped_lock lock{mutex_};
  auto& desk = desks_[server];
  if (desk == nullptr) desk = std::make_unique<FactsDesk>(*this, server);
  return *desk;
}

// What was not ended is so in a mailbox that ends with the process.
OurConnection::~OurConnection() { end({}); }

OurConnection::OurConnection(OurConnection&& from) noexcept
    : desk_{std::exchange(from.desk_, nullptr)},
      role_{std::move(from.role_)},
      database_{std::move(from.database_)},
      pid_{std::exchange(from.pid_, std::nullopt)} {}

void OurConnection::begin(FactsDesk& desk, std::string role, std::string database) {
  POOLER_CHECK(desk_ == nullptr);
  desk_ = &desk;
  role_ = std::move(role);
  database_ = std::move(database);
  desk_->opening(role_, database_);
}

void OurConnection::identified(std::uint32_t pid) {
  if (desk_ == nullptr || pid_) return;
  pid_ = pid;
  desk_->identified(role_, database_, pid);
}

void OurConnection::lose(ring::Instant now) {
  if (desk_ != nullptr && pid_) {
    desk_->lost(*pid_, now);
    desk_ = nullptr;
    pid_.reset();
  }
  end(now);
}

void OurConnection::end(ring::Instant now) {
  if (desk_ == nullptr) return;
  if (pid_) {
    desk_->closed(*pid_, now);
  } else {
    desk_->never_identified(role_, database_);
  }
  desk_ = nullptr;
  pid_.reset();
}

}  // namespace pgring
