// The secret a client is checked against: of the userlist, else by auth.query, which is asked before it goes to its pool's shard.
#include <cstring>
#include <utility>

#include "src/budget/report.h"
#include "src/pool/pool.h"
#include "src/session/client.h"
#include "src/session/client_login.h"
#include "src/shard/shard.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

// The client's own place, for an entry or the console.
std::optional<LookupPlace> place_of_login(const ClientLogin& login, std::string_view database) {
  const Config& config = login.runtime->config;
  return lookup_place(config, login.is_console ? nullptr : find_database(config, database));
}

// What of PostgreSQL's reason the client is told its login failed by: never that a password was wrong, which would be
// taken for its own.
std::string_view sqlstate_of(const wire::ParsedError& error) {
  const std::string_view state = error.sqlstate;
  for (const std::string_view kept : {"08", "53", "57"})
    if (state.starts_with(kept)) return state;
  return wire::sqlstate::system_error;
}

}  // namespace

bool Client::wants_lookup() const {
  const ClientLogin& login = *login_;
  const Config& config = login.runtime->config;
  return !login.is_service_user && login.found == nullptr && login.rule.exists &&
         needs_secret(login.rule.method) && !config.auth.role.empty() &&
         !config.users.contains(user_) && user_.size() <= role_name_size_max;
}

// True: there is nothing to ask, or the answer is here. Else the startup packet is read again when it is.
bool Client::find_secret() {
  ClientLogin& login = *login_;
  const Config& config = login.runtime->config;
  auto place = place_of_login(login, database_);
  if (!place) return true;
  Shard& shard = shard_;
  SecretLookups& lookups = shard.shared().secret_lookups;
  auto asked = lookups.ask({*place, user_}, shard.now(), config.auth.query_cache,
                           [&shard, client = id_](const LookupResult& result) {
                             shard.worker_done(
                                 client, [result](Client& waiting) { waiting.looked_up(result); });
                           });
  if (asked.found != nullptr) {
    login.found = std::move(asked.found);
    return true;
  }
  if (asked.is_refused) {
    fatal(wire::sqlstate::insufficient_resources, "too many logins are being checked");
    return false;
  }
  login.looks_up = true;
  await_worker();
  if (asked.to_begin) shard.begin_lookup(config, *place, user_, *asked.to_begin);
  return false;
}

void Client::looked_up(const LookupResult& result) {
  if (!is_open() || phase_ == Phase::closing || login_ == nullptr) return;
  login_->waiting = login_->looks_up = false;
  // It came later than the login whose question that was, and has time left for one of its own.
  if (result.is_late && timer_.pending() && timer_.deadline > shard_.now()) {
    login_received({});
    return receive_again();
  }
  if (result.found == nullptr) {
    login_->log_detail = "the secret could not be looked up";
    return fatal(sqlstate_of(result.error),
                 "could not look up the secret of role \"" + user_ +
                     "\" in PostgreSQL (auth.query): " + result.error.message,
                 result.error.detail, result.error.hint);
  }
  login_->found = result.found;
  login_received({});
  receive_again();
}

void Client::login_timed_out() {
  constexpr std::string_view late = "login took too long (timeouts.client_login)";
  if (login_ == nullptr || !login_->looks_up) return fatal(wire::sqlstate::query_canceled, late);
  Shared& shared = shard_.shared();
  const Config& config = login_->runtime->config;
  const auto place = place_of_login(*login_, database_);
  if (!place || shared.secret_lookups.is_with_server({*place, user_})) {
    return fatal(
        wire::sqlstate::query_canceled, late,
        "PostgreSQL has not answered auth.query, by which the role's secret is looked up.");
  }
  const PoolId pool = shared.placement.home(lookup_key(config, *place), config).budget_id;
  const auto why = shared.budget.read([&](const Budget& budget, ring::Instant at) {
    return explain_wait(budget, pool, std::max(at, shard_.now()));
  });
  fatal(wire::sqlstate::query_canceled, late,
        "The role's secret is looked up by auth.query, for which there is no server connection: " +
            why.detail,
        why.hint);
}

void Client::look_up_secret() {
  const UserList& users = login_->runtime->config.users;
  const auto user = users.find(user_);
  if (user != users.end()) return secret_found(&user->second);
  const FoundSecretRef found = login_->found;
  if (found == nullptr) return secret_found(nullptr);
  secret_found(found->secret.kind == SecretKind::none ? nullptr : &found->secret);
}

// Nullptr: nobody knows of such a role.
void Client::secret_found(const StoredSecret* secret) {
  ClientLogin& login = *login_;
  login.has_secret = secret != nullptr && secret->kind != SecretKind::none;
  if (login.has_secret) {
    login.shape = shape_of(*secret);
    login.secret = {secret->text.clone(), secret->kind};
  } else {
    login.log_detail = login.found != nullptr ? login.found->why_none
                       : secret == nullptr    ? "no secret is stored for the role"
                                              : "the role's stored secret is empty";
    const auto number = wire::scram_hmac(shard_.shared().mock_secret, user_);
    if (!number) return fatal(wire::sqlstate::internal_error, "could not compute a hash");
    std::uint64_t drawn = 0;
    std::memcpy(&drawn, number->data(), sizeof drawn);
    login.shape = login.runtime->secret_shapes.pick(drawn);
    if (login.found != nullptr)
      login.shape = shard_.shared().secret_lookups.usual_shape().value_or(login.shape);
  }
  begin_exchange();
}

// A login failed by what auth.query had said: the secret may be another by now.
void Client::doubt_secret() {
  if (login_->found == nullptr) return;
  if (const auto place = place_of_login(*login_, database_))
    shard_.shared().secret_lookups.doubt({*place, user_}, shard_.now());
}

}  // namespace pgring
