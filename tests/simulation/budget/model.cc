#include "tests/simulation/budget/model.h"

#include <algorithm>
#include <stdexcept>

#include "src/base/check.h"
#include "tests/simulation/budget/checks.h"

namespace sim::budget {

using pgring::PoolId;

namespace {

// How long nobody asks for anything before a run ends.
constexpr Duration quiet_min = idle_max + std::chrono::seconds{5};

// A broken promise inside the budget ends the run like any other failure, so that its script can be
// shortened: the hook leaves check_failed() by an exception.
void broken_promise() { throw std::logic_error{"POOLER_CHECK"}; }

}  // namespace

Model::Model(const Script& script)
    : script_{script},
      setup_{script.setup},
      random_{script.setup.seed},
      mail_(script.setup.shards),
      postgres_{script.setup},
      budget_{script.setup.seed},
      servers_{script.setup.servers},
      closing_{script.setup.closing},
      closing_max_{script.setup.closing} {
  checks_ = std::make_unique<Checks>(*this);
  for (const auto& [name, role] : setup_.roles) roles_.push_back(name);
  for (const auto& [name, limit] : setup_.databases) databases_.push_back(name);
  for (const auto& [name, terms] : servers_)
    ask_budget([&](auto& actions) { budget_.set_server(name, terms, now_, actions); });
  for (const auto& pool : setup_.pools) {
    auto& made = pools_.emplace_back();
    made.server = pool.terms.server;
    made.role = pool.terms.role;
    made.database = pool.terms.dbname;
    made.board =
        std::make_unique<pgring::PoolBoard>(static_cast<std::uint32_t>(pool.shards.size()));
    for (const std::uint32_t shard : pool.shards) made.parts.push_back({.shard = shard});
    const PoolId id = budget_.add_pool(pool.terms, *made.board);
    for (std::uint32_t part = 0; part < made.parts.size(); ++part) {
      made.board->part(part).show_closed(false);
      after(about(maintain_interval), Kind::maintain, id, part);
    }
  }
  for (std::uint32_t i = 0; i < script_.events.size(); ++i) {
    const Event& event = script_.events[i];
    end_ = std::max(end_, event.at + setup_.calm);
    length_max_ =
        std::max(length_max_, event.kind == EventKind::client ? event.length : Duration{});
    if (event.kind == EventKind::client)
      work_ += event.count * (event.length + event.pause + seek_interval);
    if (event.kind == EventKind::slow_close) closing_max_ = std::max(closing_max_, event.length);
    timers_.push({event.at, numbers_++, Kind::external, i, 0});
  }
}

Model::~Model() = default;

std::optional<Failure> Model::run() {
  try {
    while (!checks_->failure() && !timers_.empty()) {
      const Timer timer = timers_.top();
      timers_.pop();
      now_ = timer.at;
      ++steps_;
      pgring::set_check_failed_hook(&broken_promise);
      step(timer);
      checks_->after_step();
      if (timer.kind != Kind::maintain) continue;
      if (over()) {
        checks_->at_end();
        break;
      }
      if (now_ > end_ + std::chrono::minutes{1} && checks_->only_strangers_wait()) break;
    }
  } catch (const std::logic_error& error) {
    pgring::set_check_failed_hook(nullptr);
    return Failure{error.what(), error.what()};
  }
  pgring::set_check_failed_hook(nullptr);
  return checks_->failure();
}

// Long enough after the last client for everything that is under way to come to rest.
bool Model::over() const {
  if (setup_.overload) return now_ >= end_;
  return now_ >= end_ && clients_left_ == 0 && now_ >= client_left_ + quiet_min;
}

void Model::after(Duration time, Kind kind, std::uint32_t a, std::uint32_t b) {
  timers_.push({now_ + time, numbers_++, kind, a, b});
}

// A mailbox keeps the order.
void Model::post(std::uint32_t shard, Duration extra, Kind kind, std::uint32_t a, std::uint32_t b) {
  mail_[shard] = std::max(mail_[shard], now_ + extra + about(setup_.mail));
  timers_.push({mail_[shard], numbers_++, kind, a, b});
}

Duration Model::about(Duration longest) {
  if (longest <= Duration::zero()) return Duration::zero();
  const auto most = static_cast<std::uint64_t>(longest.count());
  return Duration{static_cast<std::int64_t>(random_.between(most / 10, most))};
}

void Model::step(const Timer& timer) {
  const auto [at, number, kind, a, b] = timer;
  switch (kind) {
    case Kind::external:
      return external(script_.events[a]);
    case Kind::permit_comes:
      return permit_comes(a);
    case Kind::shed_comes:
      return shed(a, b);
    case Kind::lend_comes:
      return lend(a, b / 256, b % 256);
    case Kind::no_loan:
      return look_again(a, b, now_ + setup_.rested);
    case Kind::connection_comes:
      return arrived(a);
    case Kind::connect:
      return connect(a);
    case Kind::admit:
      return admit(a);
    case Kind::refused:
      return refused(a, static_cast<pgring::Failure>(b));
    case Kind::logged_in:
      return logged_in(a);
    case Kind::transaction_over:
      return transaction_over(a);
    case Kind::client_again:
      return client_next(a);
    case Kind::patience_over:
      return leave(a);
    case Kind::facts_asked: {
      Connection& connection = connections_[a];
      if (!postgres_.is_alive(connection.pid)) return;
      connection.facts = postgres_.facts();
      connection.alive = postgres_.alive();
      return after(about(setup_.network), Kind::facts_come, a, 0);
    }
    case Kind::facts_come:
      return facts_come(a);
    case Kind::terminate:
      if (postgres_.is_alive(connections_[a].pid)) after(about(closing_), Kind::slot_free, a, 0);
      return;
    case Kind::slot_free:
      postgres_.end(connections_[a].pid);
      return tell_end(a, StreamEnd::seen);
    case Kind::ended:
      return ended(a, StreamEnd::seen);
    case Kind::broke:
      return ended(a, StreamEnd::reset);
    case Kind::direct_leaves:
    case Kind::backend_ends:
      return postgres_.end(a);
    case Kind::starting:
      postgres_.state = Postgres::State::starting;
      return;
    case Kind::up:
      return postgres_.started_again(b == 0 ? std::nullopt : std::optional{b});
    case Kind::seek: {
      Part& part = pools_[a].parts[b];
      if (part.seek_at != now_) return;  // it was set to an earlier time since
      part.seek_at = Instant::max();
      part.ask_again = {};
      tick_if_due();
      offer(a, b);
      return seek(a, b);
    }
    case Kind::maintain:
      return maintain(a, b);
  }
}

void Model::apply(const pgring::BudgetActions& actions) {
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const auto& action = actions[i];
    auto& pool = pools_[action.pool];
    const std::uint32_t shard = pool.parts[action.part].shard;
    if (action.kind == pgring::BudgetAction::Kind::shed) {
      post(shard, {}, Kind::shed_comes, action.pool, action.part);
      continue;
    }
    const auto id = static_cast<std::uint32_t>(connections_.size());
    connections_.push_back({.pool = action.pool, .part = action.part});
    ++pool.permits[0];
    ++pool.opened;
    checks_->issued(std::span{actions}.subspan(i));
    post(shard, {}, Kind::permit_comes, id, 0);
  }
}

void Model::tick_if_due() {
  const auto due = budget_.next_tick();
  if (due && *due <= now_) ask_budget([&](auto& actions) { budget_.tick(now_, actions); });
}

void Model::client_next(std::uint32_t id) {
  Client& client = clients_[id];
  if (client.left == 0) {
    --clients_left_;
    client_left_ = now_;
    return;
  }
  --client.left;
  acquire(id);
}

std::optional<std::uint32_t> Model::pick_connection(std::uint32_t number) const {
  std::vector<std::uint32_t> ours;
  for (std::uint32_t i = 0; i < connections_.size(); ++i) {
    const auto& connection = connections_[i];
    if (!connection.end_told && postgres_.is_alive(connection.pid)) ours.push_back(i);
  }
  if (ours.empty()) return std::nullopt;
  return ours[number % ours.size()];
}

void Model::external(const Event& event) {
  const auto limit = event.count == no_limit ? std::nullopt : std::optional{event.count};
  switch (event.kind) {
    case EventKind::client:
    case EventKind::impatient: {
      const auto id = static_cast<std::uint32_t>(clients_.size());
      const auto parts = static_cast<std::uint32_t>(pools_[event.subject].parts.size());
      clients_.push_back({.pool = event.subject,
                          .part = event.part % parts,
                          .left = event.count,
                          .length = event.length,
                          .pause = event.pause,
                          .impatient = event.kind == EventKind::impatient});
      ++clients_left_;
      return client_next(id);
    }
    case EventKind::direct:
      for (std::uint32_t i = 0; i < event.count; ++i) {
        if (postgres_.state != Postgres::State::up) return;
        const auto pid = postgres_.begin(roles_[event.subject % roles_.size()],
                                         databases_[event.part % databases_.size()]);
        if (pid && !postgres_.admit(*pid)) after(event.length, Kind::direct_leaves, *pid, 0);
      }
      return;
    case EventKind::restart:
    case EventKind::crash:
      if (postgres_.state != Postgres::State::up) return;
      for (const std::uint32_t id : postgres_.end_all())
        tell_end(id, random_.chance(200) ? StreamEnd::reset : StreamEnd::seen);
      postgres_.state = Postgres::State::away;
      after(event.length / 2, Kind::starting, 0, 0);
      return after(event.length, Kind::up, 0, event.kind == EventKind::crash ? 0 : event.count);
    case EventKind::kill:
    case EventKind::reset: {
      const auto id = pick_connection(event.subject);
      if (!id) return;
      if (event.kind == EventKind::kill) {
        postgres_.end(connections_[*id].pid);
        return tell_end(*id, StreamEnd::seen);
      }
      connections_[*id].end_told = true;
      after(event.length, Kind::backend_ends, connections_[*id].pid, 0);
      return ended(*id, StreamEnd::silence);
    }
    case EventKind::slow_close:
      closing_ = event.length;
      return;
    case EventKind::alter_role:
      return postgres_.alter_role(roles_[event.subject % roles_.size()], limit);
    case EventKind::alter_database:
      return postgres_.alter_database(databases_[event.subject % databases_.size()], limit);
    case EventKind::keep_free:
    case EventKind::cap: {
      auto server = std::next(servers_.begin(), event.subject % std::ssize(servers_));
      if (event.kind == EventKind::keep_free) server->second.keep_free = event.count;
      if (event.kind == EventKind::cap) server->second.max_connections = limit;
      return ask_budget(
          [&](auto& actions) { budget_.set_server(server->first, server->second, now_, actions); });
    }
    case EventKind::pool_size:
    case EventKind::pool_weight:
    case EventKind::pool_min:
    case EventKind::pause:
    case EventKind::resume:
      return external_of_pool(event);
  }
}

void Model::external_of_pool(const Event& event) {
  pgring::PoolTerms terms = budget_.pool(event.subject).terms;
  if (event.kind == EventKind::pause || event.kind == EventKind::resume)
    return pause(event.subject, event.kind == EventKind::pause);
  if (event.kind == EventKind::pool_size) terms.size = event.count;
  if (event.kind == EventKind::pool_weight) terms.weight = event.count;
  if (event.kind == EventKind::pool_min) terms.size_min = event.count;
  ask_budget([&](auto& actions) { budget_.set_pool(event.subject, terms, now_, actions); });
}

}  // namespace sim::budget
