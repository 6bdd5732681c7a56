#include "src/pool/pool.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "src/log/log.h"
#include "src/pool/pool_terms.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

// How much longer another part's waiter has waited than our own before it gets a connection of ours. Handing one
// over costs two loop turns and a cancelled receive: much beside a transaction of 100 us, little beside one of
// 10 ms, after which another of our own would have to be waited for.
constexpr ring::Duration order_slack_max = std::chrono::milliseconds{2};
constexpr ring::Duration order_slack_min = std::chrono::microseconds{200};
constexpr std::int64_t order_slack_at_1ms = 1'000'000;  // ns
// How long another part's connection has been idle before we ask for it: one of its own clients may come.
constexpr ring::Duration rested = std::chrono::milliseconds{1};
// A pool that is short asks again at this interval; the budget acts by itself whenever something changes.
constexpr ring::Duration seek_interval = std::chrono::milliseconds{20};
constexpr ring::Duration ask_interval = std::chrono::milliseconds{5};

// Connections nobody uses are asked for facts by a maintenance tick that comes once a second, and not exactly
// then. One that is asking is as good as idle for no longer than the second.
constexpr ring::Duration tick_slack = std::chrono::milliseconds{500};
constexpr ring::Duration asking_max = std::chrono::seconds{1};

Failure failure_of(const wire::ParsedError& error) {
  if (error.sqlstate == wire::sqlstate::cannot_connect_now) return Failure::starting;
  if (error.sqlstate != wire::sqlstate::too_many_connections) return Failure::other;
  // PostgreSQL has one SQLSTATE for four limits; the function that raised it tells them apart.
  if (error.routine == "InitProcess" || error.routine == "InitPostgres" ||
      error.routine == "InitAuxiliaryProcess")
    return Failure::instance_full;
  if (error.routine == "InitializeSessionUserId") return Failure::role_full;
  if (error.routine == "CheckMyDatabase") return Failure::database_full;
  return Failure::full;
}

// Of server connections in a row, before whoever waits is told.
constexpr std::uint32_t ended_early_max = 3;

std::int64_t count_of(ring::Instant when) { return when.time_since_epoch().count(); }

}  // namespace

Pool::Pool(Shard& shard, PoolKey key, PoolHome& home, std::uint32_t part)
    : shard_{shard}, key_{std::move(key)}, home_{home}, part_{part} {
  waiters_timer_.owner = this;
  waiters_timer_.kind = timer_kind::pool_waiters;
  seek_timer_.owner = this;
  seek_timer_.kind = timer_kind::pool_seek;
  rest_timer_.owner = this;
  rest_timer_.kind = timer_kind::pool_rest;
  period_began_ = shard.now();
  definitions_ = &shard.shared().placement.definitions({}, 0, {});  // until it leads somewhere
  configure(shard.config());
  board().show_closed(false);
}

Pool::~Pool() { POOLER_CHECK(all_.empty() && waiters_.empty()); }

BudgetDesk& Pool::budget() { return shard_.shared().budget; }

void Pool::configure(const Config& config) {
  if (!is_configured(config, key_)) {
    close_all("it was taken out of the configuration");
    return;
  }
  if (key_.is_for_lookups()) return configure_lookups(config);
  const DatabaseConfig* database = find_database(config, key_.database);
  const PoolSettings before = settings_;
  const auto server = config.servers.find(database->server);
  settings_.mode = effective_pool_mode(config, *database, key_.role);
  settings_.size_min = database->min_pool_size;
  settings_.server = database->server;
  facts_desk_ = &shard_.shared().facts.desk(settings_.server);
  settings_.host = server->second.host;
  settings_.port = server->second.port;
  settings_.tls = server->second.tls;
  settings_.dbname = database_name_on_server(*database, key_.database);
  settings_.role = key_.role;
  settings_.forced_role = !database->user.empty();
  settings_.connect_query = database->connect_query;
  settings_.reset_query = database->reset_query;
  settings_.on_session_state = effective_on_session_state(config, *database, key_.role);
  settings_.max_pinned = effective_max_pinned(config, *database, key_.role);
  settings_.lazy_begin = database->lazy_begin;
  settings_.max_prepared_statements = database->max_prepared_statements;
  settings_.reuse_parse = database->reuse_parse;
  settings_.share = effective_share(config, *database, key_.role);
  settings_.share_depth = database->share_depth;
  settings_.share_stall = database->share_stall;
  settings_.share_hot = share_hot(effective_pool_size(config, *database, key_.role));
  definitions_ =
      &shard_.shared().placement.definitions(settings_.host, settings_.port, settings_.dbname);
  if (before.place() != settings_.place() && !all_.empty()) close_all("configuration changed");
}

void Pool::reload(const Config& config) {
  configure(config);
  // Another server may answer now.
  if (is_configured(config, key_))
    budget().set_pool(home_.budget_id, pool_terms(config, key_), shard_.now());
}

LoginSecrets Pool::login_secrets() const {
  if (key_.is_for_lookups()) return {lookup_login_secret(shard_.config()), std::nullopt};
  auto stored = stored_login_secret(shard_.config(), key_.database, settings_.role);
  if (!stored && !settings_.forced_role) stored = home_.keys.found();
  return {std::move(stored), home_.keys.get()};
}

// Serving.

void Pool::acquire(Client& client) {
  if (!paused_ && waiters_.empty() && !idle_.empty()) return link(client, *idle_.back());
  if (const auto failure = hopeless()) return client.server_refused(*failure);
  client.wait_begun();
  waiters_.push_back(client);
  show_waiters();
  if (waiters_.size() == 1) arm_waiters_timer();
  seek();
}

void Pool::link(Client& client, Server& server) {
  not_idle(server);
  // Else once a second, in maintain().
  if (board().busy_since() == PartBoard::nobody) board().show_busy(shard_.now());
  ++stats_.assignments;
  server.link(client);
}

ring::Duration Pool::order_slack() const {
  const std::int64_t slack =
      order_slack_at_1ms * 1'000'000 / std::max<std::int64_t>(busy_mean_.count(), 1);
  return std::clamp(ring::Duration{slack}, order_slack_min, order_slack_max);
}

void Pool::put_back(Server& server) {
  const auto& limits = shard_.config().timeouts;
  if (server.is_to_close()) return server.retire(server.close_reason());
  if (paused_) return server.retire("pool is paused");
  if (limits.server_lifetime > Duration::zero() &&
      shard_.now() - server.created() > limits.server_lifetime) {
    return server.retire("server_lifetime");
  }
  if (home_.board.to_shed() > 0 && budget().claim_shed(server.permit()))
    return server.retire("given up for the budget");
  bool wanted_elsewhere = false;
  if (home_.parts() > 1) {
    const Client* const oldest = waiters_.front();
    const auto own = oldest == nullptr ? shard_.now() : oldest->requested_at();
    const auto hungrier = home_.board.promise_to_hungrier(part_, count_of(own), order_slack());
    if (hungrier.part) return give(server, *hungrier.part);
    wanted_elsewhere = hungrier.others;
  }
  keep(server);
  // They do not know of it, and one of their own may come first; but not for long.
  if (wanted_elsewhere && !idle_.empty()) look_again(shard_.now() + rested);
}

// The one used last is the next to be used: what pgring asks of its own is no use of it.
void Pool::keep(Server& server) {
  std::vector<Server*> later;
  while (!idle_.empty() && idle_.back()->used() > server.used()) {
    later.push_back(idle_.back());
    idle_.erase(*later.back());
  }
  idle_.push_back(server);
  for (auto one = later.rbegin(); one != later.rend(); ++one) idle_.push_back(**one);
  show_idle();
  comes_to_rest(server);
  serve_waiters();
}

void Pool::serve_waiters() {
  // A link may be over before link() returns (a login, a refused message). What comes back then is for this
  // loop: one call inside another for each of thousands of waiters would use up the stack.
  if (serving_) return;
  if (key_.is_for_lookups()) return serve_lookups();
  serving_ = true;
  while (!paused_ && !waiters_.empty() && !idle_.empty()) {
    Client& client = *waiters_.front();
    Server& server = *idle_.back();
    waiters_.erase(client);
    show_waiters();
    stats_.wait_us += waited(client);
    link(client, server);
  }
  serving_ = false;
  if (!waiters_.empty()) seek();
}

void Pool::leave(Client& waiter) {
  waiters_.erase(waiter);
  show_waiters();
}

// One that has been asking for long is not to be counted on.
std::uint32_t Pool::asking() const { return shard_.now() - asked_at_ < asking_max ? asking_ : 0; }

void Pool::show_idle() {
  const Server* const oldest = idle_.front();
  // One that asks for facts is as good as idle, though nobody can have it this moment.
  board().show_idle(static_cast<std::uint32_t>(idle_.size()) + asking(),
                    oldest == nullptr ? std::nullopt : std::optional{oldest->used()});
}

void Pool::show_waiters() {
  if (key_.is_for_lookups()) return show_lookups();
  std::array<ring::Instant, PartBoard::shown> since;
  std::size_t shown = 0;
  for (const Client* client = waiters_.front(); client != nullptr && shown < since.size();
       client = WaiterList::next(*client))
    since[shown++] = client->requested_at();
  board().show_waiting(static_cast<std::uint32_t>(waiters_.size()), std::span{since}.first(shown));
}

// Getting more.

void Pool::seek() {
  if (key_.is_for_lookups()) return seek_for_lookups();
  if (paused_ || ending_ || waiters_.empty()) return;
  const auto now = shard_.now();
  const std::uint32_t coming = asking() + board().inbound();
  // What comes may be closed on the way, or not come.
  if (waiters_.size() <= coming) return look_again(now + seek_interval);
  const Loan loan = borrow();
  if (loan == Loan::none && waiters_.size() > opening_ + coming && now >= ask_again_) {
    // The budget knows every waiter by the board: while it has no permit, asking for each is of no use.
    if (budget().ask(home_.budget_id, now) != Reason::none) ask_again_ = now + ask_interval;
  }
  look_again(now + (loan == Loan::later ? rested : seek_interval));
}

void Pool::promise_broken() {
  if (!waiters_.empty()) look_again(shard_.now() + rested);
}

void Pool::look_again(ring::Instant when) {
  if (!seek_timer_.pending() || seek_timer_.deadline > when)
    shard_.loop().timers().set(seek_timer_, when);
}

void Pool::seek_due() {
  show_idle();
  budget().tick(shard_.now());
  ask_again_ = {};
  offer();
  seek();
}

// Connections that nobody here has wanted go where somebody waits.
void Pool::offer() {
  if (home_.parts() == 1 || !waiters_.empty()) return;
  while (Server* const server = idle_.front()) {
    const bool tired = shard_.now() - server->used() >= rested;
    const auto hungrier = home_.board.promise_to_hungrier(
        part_, tired ? PartBoard::nobody : count_of(shard_.now()), order_slack());
    if (hungrier.others && !hungrier.part) look_again(server->used() + rested);
    if (!hungrier.part) return;
    give(*server, *hungrier.part);
    if (idle_.front() == server) return;  // it may not move now
  }
}

// Asks a part whose connections have nothing to do for one of them. Also when one is being opened for the
// waiter: that takes longer.
Pool::Loan Pool::borrow() {
  Loan loan = Loan::none;
  const auto before = count_of(shard_.now() - rested);
  for (std::uint32_t i = 1; i < home_.parts(); ++i) {
    const std::uint32_t lender = (part_ + i) % home_.parts();
    const PartBoard& other = home_.board.part(lender);
    if (other.idle() == 0 || other.waiting() > 0) continue;
    loan = Loan::later;
    if (other.idle_since() > before) continue;
    if (!board().promise(static_cast<std::uint32_t>(waiters_.size()))) return Loan::coming;
    Shard& shard = *shard_.shared().shards[home_.shards[lender]];
    shard.post([&shard, &home = home_, lender, borrower = part_] {
      shard.pool(home.key, home, lender).lend(borrower);
    });
    return Loan::coming;
  }
  return loan;
}

void Pool::lend(std::uint32_t borrower) {
  if (idle_.empty() || !waiters_.empty() || paused_ || ending_) return move_called_off(borrower);
  give(*idle_.front(), borrower);
}

void Pool::open_with(Permit permit) {
  // Back with it: the budget gives it to who needs it.
  if (paused_ || ending_) return;
  if (!budget().is_wanted(home_.budget_id)) return;
  auto owned = std::make_unique<Server>(shard_, *this, std::move(permit));
  Server& server = *owned;
  owned_.emplace(&server, std::move(owned));
  all_.push_back(server);
  ++opening_;
  server.connect();
}

void Pool::login_succeeded() {
  --opening_;
  ended_early_ = 0;
  home_.failure.clear();
}

void Pool::login_failed(Server& server, wire::ParsedError error, FailedLogin how) {
  --opening_;
  const auto now = shard_.now();
  const ring::Duration retry = shard_.config().timeouts.server_login_retry;
  Failure failure = failure_of(error);
  // An administrator may just have ended it. What ends every one of them is to be told.
  if (how.was_let_in && ++ended_early_ < ended_early_max) failure = Failure::starting;
  if (failure == Failure::full) facts_desk_->ask_soon();
  budget().failed(home_.budget_id, failure, retry, now);
  if (error.sqlstate == wire::sqlstate::invalid_password) doubt_secret();
  last_failure_ = std::move(error);
  // Whoever waits is told, unless there are connections that will serve them or it is a matter of moments.
  // A little less than the earliest retry, which is jittered.
  if (failure == Failure::other) {
    home_.failure.set(*last_failure_, now + retry * 3 / 4);
    if (budget().held(home_.budget_id) == 0) refuse_everywhere();
  }
  if (how.never_opened) server_closed(server);
}

void Pool::not_idle(Server& server) {
  if (!server.idle_hook.linked()) return;
  idle_.erase(server);
  show_idle();
}

void Pool::server_closed(Server& server) {
  all_.erase(server);
  shard_.forget_server(server);
  owned_.erase(&server);  // gives its permit back
  seek();
}

void Pool::shed() {
  while (home_.board.to_shed() > 0 && !idle_.empty()) {
    Server& server = *idle_.front();
    if (!budget().claim_shed(server.permit())) return;
    close_idle(server, "given up for the budget");
  }
}

bool Pool::take_pin() {
  std::uint32_t pinned = home_.pinned.load(std::memory_order_relaxed);
  do {
    if (pinned >= settings_.max_pinned) return false;
  } while (!home_.pinned.compare_exchange_weak(pinned, pinned + 1, std::memory_order_relaxed));
  return true;
}

void Pool::maintain() {
  end_period();
  if (clients_ == 0) known_texts_ = {};  // nobody's any more
  const auto& limits = shard_.config().timeouts;
  const auto now = shard_.now();
  for (Server* server = idle_.front(); server != nullptr;) {
    Server* const next = decltype(idle_)::next(*server);
    if (server->is_to_close()) {
      close_idle(*server, server->close_reason());
    } else if (limits.server_lifetime > Duration::zero() &&
               now - server->created() > limits.server_lifetime) {
      close_idle(*server, "server_lifetime");
    } else if (limits.server_idle > Duration::zero() && now - server->used() > limits.server_idle &&
               budget().claim_idle(server->permit())) {
      close_idle(*server, "server_idle");
    }
    server = next;
  }
  show_busy();
  show_idle();
  shed();
  refresh_facts();
  if (settings_.size_min > 0 && !paused_ && !ending_) budget().ask(home_.budget_id, now);
}

void Pool::facts_asked(Server& server) {
  not_idle(server);
  ++asking_;
  asked_at_ = shard_.now();
  show_idle();
}

// Connections that are given back ask by themselves; where all are idle, one must be told to.
void Pool::refresh_facts() {
  Server* const server = idle_.back();
  if (server == nullptr || !facts_desk_->due(shard_.now() + tick_slack)) return;
  // Another pool's may have been first.
  (void)server->ask_facts(facts_desk_->interval() - tick_slack);
}

void Pool::close_idle(Server& server, std::string_view reason) { server.retire(reason); }

void Pool::close_all(std::string_view reason) {
  // Not the turn's time: what was opened before the command, on any shard, was opened before this.
  closed_at_ = shard_.loop().kernel().now();
  closed_why_ = reason;
  while (Server* const server = idle_.front()) close_idle(*server, reason);
  for (Server* server = all_.front(); server != nullptr; server = ServerList::next(*server))
    server->must_close(reason);
}

void Pool::end(std::string_view reason) {
  ending_ = true;
  refuse_lookups(shutting_down());
  board().show_closed(true);
  close_all(reason);
}

void Pool::stop() {
  ending_ = true;
  refuse_lookups(shutting_down());
  known_texts_ = {};
  board().show_closed(true);
  for (Server* server = all_.front(); server != nullptr; server = ServerList::next(*server))
    server->stop();
}

void Pool::pause() {
  paused_ = true;
  board().show_closed(true);
  close_all("pool is paused");
}

void Pool::resume() {
  paused_ = false;
  board().show_closed(ending_);
  serve_waiters();
  seek();
}

}  // namespace pgring
