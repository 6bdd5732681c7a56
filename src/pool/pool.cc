#include "src/pool/pool.h"

#include <algorithm>
#include <array>
#include <utility>

#include "src/log/log.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

// Connections of one pool that may be opening at once, on one shard.
constexpr std::uint32_t opening_max = 8;
// Startup parameter sets a pool remembers as good; clients bring few different ones.
constexpr std::size_t canonical_max = 256;
// PgBouncer's stats_period.
constexpr ring::Duration stats_period = std::chrono::seconds{60};
// A server that is starting up or full answers soon: try again without telling anybody.
constexpr ring::Duration patient_retry = std::chrono::milliseconds{500};

constexpr std::array counters{
    &PoolStats::assignments, &PoolStats::transactions, &PoolStats::queries,
    &PoolStats::received,    &PoolStats::sent,         &PoolStats::transaction_us,
    &PoolStats::query_us,    &PoolStats::wait_us,      &PoolStats::parses,
    &PoolStats::binds,       &PoolStats::logins,       &PoolStats::isolation_faults};
static_assert(counters.size() * sizeof(std::uint64_t) == sizeof(PoolStats));

// The maintenance tick comes once a second, and not exactly then: what is due half a second later is due.
constexpr ring::Duration tick_slack = std::chrono::milliseconds{500};
// A connection that asks for facts is as good as idle for so long.
constexpr ring::Duration asking_max = std::chrono::seconds{1};

bool is_temporary(const wire::ParsedError& error) {
  return error.sqlstate == wire::sqlstate::cannot_connect_now ||
         error.sqlstate == wire::sqlstate::too_many_connections;
}

}  // namespace

PoolStats& PoolStats::operator+=(const PoolStats& other) {
  for (const auto counter : counters) this->*counter += other.*counter;
  return *this;
}

PoolStats PoolStats::since(const PoolStats& before) const {
  PoolStats difference = *this;
  for (const auto counter : counters) difference.*counter -= before.*counter;
  return difference;
}

Pool::Pool(Shard& shard, PoolKey key, PoolHome& home, std::uint32_t part)
    : shard_{shard}, key_{std::move(key)}, home_{home}, part_{part} {
  waiters_timer_.owner = this;
  waiters_timer_.kind = timer_kind::pool_waiters;
  period_began_ = shard.now();
  configure(shard.config());
}

Pool::~Pool() { POOLER_CHECK(all_.empty() && waiters_.empty()); }

void Pool::configure(const Config& config) {
  const DatabaseConfig* database = find_database(config, key_.database);
  if (database == nullptr) {
    close_all("database was taken out of the configuration");
    return;
  }
  const PoolSettings before = settings_;
  const auto server = config.servers.find(database->server);
  settings_.mode = effective_pool_mode(config, *database, key_.role);
  settings_.size = std::max(
      1U, PoolHome::share(effective_pool_size(config, *database, key_.role), home_.parts(), part_));
  settings_.size_min =
      std::min(settings_.size, PoolHome::share(database->min_pool_size, home_.parts(), part_));
  settings_.server = database->server;
  facts_desk_ = &shard_.shared().facts.desk(settings_.server);
  settings_.host = server->second.host;
  settings_.port = server->second.port;
  settings_.dbname = database_name_on_server(*database, key_.database);
  settings_.role = key_.role;
  settings_.forced_role = !database->user.empty();
  settings_.connect_query = database->connect_query;
  settings_.reset_query = database->reset_query;
  const bool elsewhere = before.host != settings_.host || before.port != settings_.port ||
                         before.dbname != settings_.dbname ||
                         before.connect_query != settings_.connect_query;
  if (elsewhere && !all_.empty()) close_all("configuration changed");
}

const StoredSecret* Pool::login_secret() const {
  const Config& config = shard_.config();
  if (const DatabaseConfig* database = find_database(config, key_.database);
      database != nullptr && !database->password.empty()) {
    // The database's own password is for its forced role.
    if (database_secret_ == nullptr ||
        database_secret_->text.reveal() != database->password.reveal()) {
      const auto kind = classify_secret(database->password.reveal());
      database_secret_ = std::make_unique<StoredSecret>(
          StoredSecret{Secret{database->password.reveal()}, kind ? *kind : SecretKind::plain});
    }
    return database_secret_.get();
  }
  const auto entry = config.users.find(settings_.role);
  return entry == config.users.end() ? nullptr : &entry->second;
}

void Pool::acquire(Client& client) {
  if (!paused_ && waiters_.empty() && !idle_.empty()) return link(client, *idle_.back());
  if (last_failure_ && all_.empty() && !is_temporary(*last_failure_) && shard_.now() < retry_at_) {
    return client.server_refused(*last_failure_);
  }
  client.wait_begun();
  waiters_.push_back(client);
  if (waiters_.size() == 1) arm_waiters_timer();
  open_servers();
}

void Pool::link(Client& client, Server& server) {
  if (server.idle_hook.linked()) idle_.erase(server);
  ++stats_.assignments;
  server.link(client);
}

void Pool::put_back(Server& server) {
  const auto& limits = shard_.config().timeouts;
  if (server.is_to_close()) return server.retire(server.close_reason());
  if (paused_) return server.retire("pool is paused");
  if (all_.size() > settings_.size) return server.retire("pool_size is exceeded");
  if (limits.server_lifetime > Duration::zero() &&
      shard_.now() - server.created() > limits.server_lifetime) {
    return server.retire("server_lifetime");
  }
  idle_.push_back(server);
  serve_waiters();
}

void Pool::serve_waiters() {
  // A link may be over before link() returns (a login, a refused message). What comes back then is for this
  // loop: one call inside another for each of thousands of waiters would use up the stack.
  if (serving_) return;
  serving_ = true;
  while (!paused_ && !waiters_.empty() && !idle_.empty()) {
    Client& client = *waiters_.front();
    Server& server = *idle_.back();
    waiters_.erase(client);
    stats_.wait_us += static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(shard_.now() - client.requested_at())
            .count());
    const bool opened_now = server.fresh();
    link(client, server);
    // It is no longer among those that are opening: there may be room for another.
    if (opened_now) open_servers();
  }
  serving_ = false;
}

void Pool::leave(Client& waiter) { waiters_.erase(waiter); }

bool Pool::may_open() const {
  return !paused_ && !ending_ && all_.size() < settings_.size && opening_ < opening_max;
}

void Pool::open_servers() {
  if (shard_.now() < retry_at_) return;
  // One for each waiter that no connection under way is for, and those that are always kept.
  const std::uint32_t asking = shard_.now() - asked_at_ < asking_max ? asking_ : 0;
  const auto wanted = [this, asking] {
    return opening_ + asking < waiters_.size() || all_.size() < settings_.size_min;
  };
  while (may_open() && wanted()) {
    auto owned = std::make_unique<Server>(shard_, *this);
    Server& server = *owned;
    owned_.emplace(&server, std::move(owned));
    all_.push_back(server);
    ++opening_;
    server.connect();
    if (shard_.now() < retry_at_) return;  // it failed at once
  }
}

void Pool::login_succeeded() {
  --opening_;
  last_failure_.reset();
  retry_at_ = {};
}

void Pool::login_failed(Server& server, wire::ParsedError error, bool never_opened) {
  --opening_;
  const bool temporary = is_temporary(error);
  retry_at_ =
      shard_.now() +
      (temporary ? patient_retry : ring::Duration{shard_.config().timeouts.server_login_retry});
  last_failure_ = std::move(error);
  // Whoever waits is told, unless there are connections left that will serve them or it is a matter of moments.
  const bool hopeless = all_.size() == opening_ + 1;
  if (hopeless && !temporary) refuse_waiters();
  if (never_opened) server_closed(server);
}

void Pool::refuse_waiters() {
  while (Client* const client = waiters_.front()) {
    waiters_.erase(*client);
    client->server_refused(*last_failure_);
  }
}

void Pool::not_idle(Server& server) {
  if (server.idle_hook.linked()) idle_.erase(server);
}

void Pool::server_closed(Server& server) {
  all_.erase(server);
  shard_.forget_server(server);
  owned_.erase(&server);
  open_servers();
}

void Pool::end_period() {
  const auto now = shard_.now();
  if (now - period_began_ < stats_period) return;
  last_period_ = {.added = stats_.since(period_start_), .length = now - period_began_};
  period_start_ = stats_;
  period_began_ = now;
}

void Pool::maintain() {
  end_period();
  const auto& limits = shard_.config().timeouts;
  const auto now = shard_.now();
  for (Server* server = idle_.front(); server != nullptr;) {
    Server* const next = decltype(idle_)::next(*server);
    if (server->is_to_close()) {
      close_idle(*server, server->close_reason());
    } else if (all_.size() > settings_.size) {
      close_idle(*server, "pool_size is exceeded");
    } else if (limits.server_lifetime > Duration::zero() &&
               now - server->created() > limits.server_lifetime) {
      close_idle(*server, "server_lifetime");
    } else if (limits.server_idle > Duration::zero() && now - server->used() > limits.server_idle &&
               all_.size() > settings_.size_min) {
      close_idle(*server, "server_idle");
    }
    server = next;
  }
  open_servers();
  refresh_facts();
}

void Pool::facts_asked(Server& server) {
  not_idle(server);
  ++asking_;
  asked_at_ = shard_.now();
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
  while (Server* const server = idle_.front()) close_idle(*server, reason);
  for (Server* server = all_.front(); server != nullptr; server = ServerList::next(*server))
    server->must_close(reason);
}

void Pool::end(std::string_view reason) {
  ending_ = true;
  close_all(reason);
}

void Pool::stop() {
  ending_ = true;
  for (Server* server = all_.front(); server != nullptr; server = ServerList::next(*server))
    server->stop();
}

void Pool::pause() {
  paused_ = true;
  close_all("pool is paused");
}

void Pool::resume() {
  paused_ = false;
  serve_waiters();
  open_servers();
}

void Pool::arm_waiters_timer() {
  const Client* const oldest = waiters_.front();
  if (oldest == nullptr) return;
  const auto& limits = shard_.config().timeouts;
  auto deadline = ring::Instant::max();
  // The first waiter without a notice is not always the oldest waiter, but it is looked for often enough.
  for (const Client* client = oldest; client != nullptr;
       client = decltype(waiters_)::next(*client)) {
    if (limits.query_wait > Duration::zero())
      deadline = std::min(deadline, client->requested_at() + limits.query_wait);
    if (client->waiting_noticed()) continue;
    if (limits.query_wait_notify > Duration::zero()) {
      deadline = std::min(deadline, client->requested_at() + limits.query_wait_notify);
    }
    break;
  }
  if (deadline != ring::Instant::max()) shard_.loop().timers().set(waiters_timer_, deadline);
}

void Pool::waiters_due() {
  const auto& limits = shard_.config().timeouts;
  const auto now = shard_.now();
  while (Client* const client = waiters_.front()) {
    if (limits.query_wait <= Duration::zero() || now - client->requested_at() < limits.query_wait)
      break;
    waiters_.erase(*client);
    std::string detail = "pool " + key_.database + "/" + key_.role +
                         ": pool_size = " + std::to_string(settings_.size);
    if (home_.parts() > 1) detail += " on this shard";
    detail += ", " + std::to_string(all_.size()) + " in use";
    if (last_failure_) detail += "; the last attempt to open one failed: " + last_failure_->message;
    client->wait_expired(detail);
  }
  for (Client* client = waiters_.front(); client != nullptr;
       client = decltype(waiters_)::next(*client)) {
    if (client->waiting_noticed()) continue;
    if (limits.query_wait_notify <= Duration::zero() ||
        now - client->requested_at() < limits.query_wait_notify)
      break;
    client->notify_waiting();
  }
  arm_waiters_timer();
}

Defaults Pool::intern_defaults(ParameterList reported) {
  const auto equal = [](const Parameter& a, const Parameter& b) {
    return a.name == b.name && a.value == b.value;
  };
  if (defaults_ == nullptr || !std::ranges::equal(*defaults_, reported, equal)) {
    defaults_ = std::make_shared<const ParameterList>(std::move(reported));
  }
  return defaults_;
}

const Overrides* Pool::canonical(const Overrides& asked) const {
  if (asked.empty()) return &asked;
  const auto at = std::ranges::find(canonical_, asked, &std::pair<Overrides, Overrides>::first);
  return at == canonical_.end() ? nullptr : &at->second;
}

void Pool::remember_canonical(const Overrides& asked, const Overrides& canonical) {
  if (asked.empty() || this->canonical(asked) != nullptr) return;
  if (canonical_.size() == canonical_max) canonical_.erase(canonical_.begin());
  canonical_.emplace_back(asked, canonical);
}

}  // namespace pgring
