// Asking the instance for its facts (src/budget/facts.h): a Query of our own on a connection that has nothing
// else to do, before its pool gets it back or while it is idle there.
#include "src/server/server_facts.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "src/log/log.h"
#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/shard/shard.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

// The query ends itself after five seconds (facts_query); a server that is stopped does not even do that.
constexpr ring::Duration answer_limit = std::chrono::seconds{15};

// The limit of the role or the database of that name, for the log.
std::string limit_text(const auto& entries, const std::string& name) {
  const auto at = std::ranges::find_if(entries, [&](const auto& one) { return one.name == name; });
  if (at == entries.end()) return "unknown";
  return at->connection_limit ? std::to_string(*at->connection_limit) : "none";
}

}  // namespace

bool Server::ask_facts(ring::Duration max_age) {
  if (is_to_close() || pool_.paused()) return false;
  auto claim = counted_.desk().claim(shard_.now(), max_age);
  if (!claim) return false;
  facts_ = std::make_unique<FactsAsked>(std::move(*claim));
  pool_.facts_asked(*this);
  shard_.loop().timers().set(timer_, shard_.now() + answer_limit);
  run_own(Own::facts, facts_->claim.question->sql);
  return true;
}

void Server::facts_finished() {
  const auto asked = std::exchange(facts_, nullptr);
  ring::TimerWheel::cancel(timer_);
  pool_.facts_answered();
  if (own_failed_) {
    facts_failed(*asked, own_error_);
  } else {
    facts_learned(*asked);
  }
  if (status_ != 'I')
    return discard("the question for the server's limits left a transaction open");
  facts_over_ = true;
  release_due_ = true;
}

void Server::facts_learned(FactsAsked& asked) {
  FactsDesk& desk = counted_.desk();
  auto facts = asked.reader.finish();
  if (!facts) {
    return facts_failed(asked, {.sqlstate = std::string{wire::sqlstate::protocol_violation},
                                .message = std::move(facts).error()});
  }
  const auto learned = desk.learned(asked.claim, std::move(*facts), shard_.now());
  if (learned == nullptr) return;
  const PoolSettings& settings = pool_.settings();
  log::debug("server limits learned",
             {{"shard", shard_.index()},
              {"server", desk.server()},
              {"max_connections", learned->facts.max_connections},
              {"superuser_reserved", learned->facts.superuser_reserved},
              {"reserved", learned->facts.reserved},
              {"others", learned->others.total},
              {"estimated", learned->others.estimated},
              {"role", settings.role},
              {"role_limit", limit_text(learned->facts.roles, settings.role)},
              {"database", settings.dbname},
              {"database_limit", limit_text(learned->facts.databases, settings.dbname)},
              {"backend_pid", learned->facts.own_pid}});
  if (learned->others.estimated && desk.first_estimate()) {
    log::info(
        "how many connections are not ours is an estimate: the role may not see what they are",
        {{"shard", shard_.index()},
         {"server", desk.server()},
         {"hint", "GRANT pg_read_all_stats TO \"" + settings.role + "\""}});
  }
  if (const auto& tell = shard_.shared().facts_learned) tell(desk.server(), *learned);
}

void Server::facts_failed(const FactsAsked& asked, const wire::ParsedError& error) {
  FactsDesk& desk = counted_.desk();
  desk.failed(asked.claim, shard_.now());
  shard_.shared().budget.not_told(desk.server(), shard_.now());
  if (!desk.may_warn(shard_.now())) return;
  log::warning("the server's limits could not be learned", {{"shard", shard_.index()},
                                                            {"server", desk.server()},
                                                            {"backend_pid", backend_pid_},
                                                            {"sqlstate", error.sqlstate},
                                                            {"message", error.message}});
}

// The connection ends before the answer has come. It may have ended by the question: the next one serves first.
void Server::facts_abandoned() {
  const auto asked = std::exchange(facts_, nullptr);
  ring::TimerWheel::cancel(timer_);
  counted_.desk().failed(asked->claim, shard_.now());
  pool_.facts_answered();
}

}  // namespace pgring
