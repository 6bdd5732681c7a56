// The pool that asks PostgreSQL for roles' secrets (auth.query): look-ups take the place of clients. It has one part, on one
// shard, and its connections are the budget's like any other; what they run is fixed by the configuration.
#include <array>
#include <span>
#include <utility>

#include "src/budget/report.h"
#include "src/log/log.h"
#include "src/pool/pool.h"
#include "src/pool/pool_terms.h"
#include "src/shard/roles.h"
#include "src/shard/shard.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

constexpr ring::Duration seek_interval = std::chrono::milliseconds{20};
constexpr ring::Duration ask_interval = std::chrono::milliseconds{5};
// Where logins have no limit of their own, a look-up has.
constexpr ring::Duration lookup_limit = std::chrono::seconds{60};

}  // namespace

wire::ParsedError Pool::shutting_down() {
  return {.severity = "FATAL",
          .sqlstate = std::string{wire::sqlstate::cannot_connect_now},
          .message = "pgring is shutting down"};
}

// REQUIRES: is_configured().
void Pool::configure_lookups(const Config& config) {
  const PoolSettings before = settings_;
  const ServerConfig& server = config.servers.find(key_.server)->second;
  settings_ = {.size_min = 0,
               .server = key_.server,
               .host = server.host,
               .port = server.port,
               .dbname = key_.dbname,
               .role = key_.role,
               .forced_role = true,
               .for_lookups = true,
               .tls = server.tls};
  facts_desk_ = &shard_.shared().facts.desk(settings_.server);
  definitions_ =
      &shard_.shared().placement.definitions(settings_.host, settings_.port, settings_.dbname);
  if (before.place() != settings_.place() && !all_.empty()) close_all("configuration changed");
}

void Pool::look_up(std::unique_ptr<SecretLookup> lookup) {
  const ring::Duration limit = shard_.config().timeouts.client_login;
  lookup->asked = shard_.now();
  lookup->deadline = shard_.now() + (limit > Duration::zero() ? limit : lookup_limit);
  if (ending_) return looked_up(std::move(lookup), {.found = nullptr, .error = shutting_down()});
  if (!is_configured(shard_.config(), key_)) {
    return looked_up(
        std::move(lookup),
        {.found = nullptr,
         .error = {.sqlstate = std::string{wire::sqlstate::cannot_connect_now},
                   .message = "auth.role or the server was just changed by a reload"}});
  }
  if (auto failure = hopeless())
    return looked_up(std::move(lookup), {.found = nullptr, .error = std::move(*failure)});
  lookups_.push_back(std::move(lookup));
  show_lookups();
  serve_lookups();
}

void Pool::serve_lookups() {
  while (!paused_ && !lookups_.empty() && !idle_.empty()) {
    auto lookup = std::move(lookups_.front());
    lookups_.pop_front();
    ++stats_.assignments;
    ++stats_.queries;
    stats_.wait_us += static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(shard_.now() - lookup->asked)
            .count());
    shard_.shared().secret_lookups.is_asked(lookup->id);
    idle_.back()->look_up(std::move(lookup));
  }
  show_lookups();
  seek_for_lookups();
}

void Pool::looked_up(std::unique_ptr<SecretLookup> lookup, LookupResult result) {
  if (result.found == nullptr) {
    result.is_late = shard_.now() >= lookup->deadline;
    log::warning("a secret could not be looked up", {{"shard", shard_.index()},
                                                     {"server", key_.server},
                                                     {"database", key_.dbname},
                                                     {"role", key_.role},
                                                     {"of", lookup->answer.role()},
                                                     {"sqlstate", result.error.sqlstate},
                                                     {"message", result.error.message},
                                                     {"detail", result.error.detail},
                                                     {"hint", result.error.hint}});
  }
  shard_.shared().secret_lookups.answered(lookup->id, result, shard_.now());
}

void Pool::lookup_lost(std::unique_ptr<SecretLookup> lookup, wire::ParsedError error) {
  if (ending_ || shard_.now() >= lookup->deadline || std::exchange(lookup->tried_again, true))
    return looked_up(std::move(lookup), {.found = nullptr, .error = std::move(error)});
  lookups_.push_front(std::move(lookup));
  serve_lookups();
}

void Pool::seek_for_lookups() {
  refuse_late_lookups();
  if (paused_ || ending_ || lookups_.empty()) {
    // A pause holds them up as it does clients, and as long as a login may last.
    if (!lookups_.empty()) look_again(lookups_.front()->deadline);
    return;
  }
  const auto now = shard_.now();
  if (lookups_.size() > opening_ + asking() && now >= ask_again_) {
    if (budget().ask(home_.budget_id, now) != Reason::none) ask_again_ = now + ask_interval;
  }
  look_again(now + seek_interval);
}

void Pool::show_lookups() {
  std::array<ring::Instant, PartBoard::shown> since;
  std::size_t shown = 0;
  for (const auto& lookup : lookups_) {
    if (shown == since.size()) break;
    since[shown++] = lookup->asked;
  }
  board().show_waiting(static_cast<std::uint32_t>(lookups_.size()), std::span{since}.first(shown));
}

void Pool::refuse_lookups(const wire::ParsedError& error) {
  if (lookups_.empty()) return;
  auto refused = std::exchange(lookups_, {});
  show_lookups();
  for (auto& lookup : refused) looked_up(std::move(lookup), {.found = nullptr, .error = error});
}

void Pool::refuse_late_lookups() {
  while (!lookups_.empty() && lookups_.front()->deadline <= shard_.now()) {
    auto late = std::move(lookups_.front());
    lookups_.pop_front();
    show_lookups();
    const auto why = explain();
    looked_up(std::move(late), {.found = nullptr,
                                .error = {.sqlstate = std::string{wire::sqlstate::query_canceled},
                                          .message = "no server connection for it came in time "
                                                     "(timeouts.client_login)",
                                          .detail = why.detail,
                                          .hint = why.hint}});
  }
}

// PostgreSQL has refused the role: what auth.query said of it is not so any more.
void Pool::doubt_secret() {
  if (key_.is_for_lookups() || settings_.forced_role) return;
  const Config& config = shard_.config();
  const DatabaseConfig* const database = find_database(config, key_.database);
  if (database == nullptr) return;
  if (auto place = lookup_place(config, database))
    shard_.shared().secret_lookups.doubt({std::move(*place), key_.role}, shard_.now());
}

void Pool::secrets_changed() {
  home_.failure.clear();
  budget().retry_now(home_.budget_id, shard_.now());
}

}  // namespace pgring
