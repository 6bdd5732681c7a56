// When a session is looked into, and whose what is found there is. What a text shows is audited at once; what it may call
// (a function, a trigger, a rule, a view) is not shown: there an audit follows new texts and suspects, and otherwise
// comes by and by: at most once a second on a connection in use, and when one comes to rest.
#include <algorithm>
#include <string>
#include <utility>

#include "src/log/log.h"
#include "src/pool/pool.h"
#include "src/server/server.h"
#include "src/server/server_audit.h"
#include "src/server/session_state.h"
#include "src/server/state_left.h"
#include "src/session/client.h"
#include "src/shard/shard.h"

namespace pgring {
namespace {

// How long a connection that is never at rest may go without an audit.
constexpr ring::Duration audit_interval = std::chrono::seconds{1};
// A server that is stopped does not answer.
constexpr ring::Duration answer_limit = std::chrono::seconds{15};

}  // namespace

void Server::text_runs(std::uint64_t fingerprint, std::string_view text) {
  if (fingerprint == 0) return;
  ran_.add(fingerprint);
  may_hide_ = has_run_ = true;
  if ((touched_ & touches_state) != 0) return;  // an audit follows anyway
  switch (pool_.marks().judge(fingerprint, text, shard_.now())) {
    case TextMarks::Mark::clean:
      return;
    case TextMarks::Mark::unproven:
      touched_ |= unproven_text;
      unnamed_set_ = true;
      return;
    case TextMarks::Mark::suspect:
      touched_ |= suspect_text;
      unnamed_set_ = true;
      return;
  }
}

void Server::unknown_text_runs() {
  touched_ |= unseen_text;
  ran_.add_unknown();
  may_hide_ = has_run_ = true;
}

bool Server::audit_due() const {
  if ((touched_ & (pins_.empty() ? touches_state : may_unpin)) != 0) return true;
  return !ran_.empty() && shard_.now() - audited_ >= audit_interval;
}

bool Server::audit_at_rest() {
  if (is_to_close() || pool_.paused() || !may_move()) return false;
  at_rest_ = true;
  pool_.facts_asked(*this);
  shard_.loop().timers().set(timer_, shard_.now() + answer_limit);
  begin_audit();
  return true;
}

// Answered, or the connection is about to close.
void Server::rest_over() {
  if (!std::exchange(at_rest_, false)) return;
  ring::TimerWheel::cancel(timer_);
  pool_.facts_answered();
  facts_over_ = true;
}

// Whether what is found is the linked client's. Where others had the connection since the last audit and no text says so,
// it may be theirs.
bool Server::is_theirs(std::uint32_t touched) const {
  return client_ != nullptr && (!others_ran_ || !pins_.empty() || (touched & shows_state) != 0);
}

// What nobody has set is not to stay: the next replay takes it away, being told that it is there.
void Server::settings_of_nobody(const ParameterList& settings, StateLeft& left) {
  ParameterList known = overrides_.list();
  for (const Parameter& one : base_) {
    if (find_parameter(known, one.name) == nullptr) put_parameter(known, one.name, one.value);
  }
  ParameterList now;
  for (const Parameter& one : settings) {
    const Parameter* const before = find_parameter(known, one.name);
    if (before == nullptr || surely_differs(before->value, one.value))
      left.settings.push_back(one.name);
    const bool as_told = before != nullptr && before->value == one.value;
    const bool of_base = as_told && find_parameter(overrides_.list(), one.name) == nullptr;
    if (!of_base) put_parameter(now, one.name, one.value);
  }
  for (const Parameter& one : known) {
    if (find_parameter(settings, one.name) != nullptr || one.value == was_reset) continue;
    left.settings.push_back(one.name);
    // It is where it was before connect_query.
    if (find_parameter(base_, one.name) != nullptr) put_parameter(now, one.name, was_reset);
  }
  overrides_ = shard_.parameters().intern(std::move(now));
}

void Server::texts_judged(const StateLeft& left, std::uint32_t touched) {
  TextMarks& marks = pool_.marks();
  const auto texts = ran_.texts();
  const std::uint32_t more = ran_.more();
  const bool shown = (touched & shows_state & ~suspect_text) != 0;
  if (!shown && left.empty()) marks.left_nothing(texts);
  if (!shown && !left.empty()) {
    if (left.nobodys) ++pool_.stats().left_states;
    if (marks.left_something(texts) > 0) {
      pool_.tell_suspects(texts);
      std::string names;
      for (const std::uint64_t text : texts) {
        if (!names.empty()) names += " | ";
        names += marks.text_of(text);
      }
      log::warning("a session was left in a state that no text had shown",
                   {{"shard", shard_.index()},
                    {"database", pool_.key().database},
                    {"role", pool_.key().role},
                    {"backend_pid", backend_pid_},
                    {"left", left.text()},
                    {"action", left.nobodys ? "taken back" : "kept for its client"},
                    {"suspects", names},
                    {"suspects_not_kept", more}});
    }
  }
  ran_.clear();
  others_ran_ = false;
  audited_ = shard_.now();
}

void Server::plain_set(wire::PlainSet set) {
  touched_ |= plain_set_text;
  // Where the text should not be enough after all, nobody else could tell.
  if (set.name.find('.') != std::string::npos) settings_named(set.name);
  plain_sets_.push_back(std::move(set));
}

// The link is over. Each of these was a Query of its own, and no error came since the first of them, nor a ROLLBACK: they
// were done, and stay. Otherwise, and where connect_query is concerned, PostgreSQL is asked.
void Server::settle_plain_sets() {
  const auto sets = std::exchange(plain_sets_, {});
  const bool doubtful = std::exchange(plain_sets_doubtful_, false);
  const auto of_base = [this](const wire::PlainSet& one) {
    return find_parameter(base_, one.name) != nullptr;
  };
  touched_ &= ~plain_set_text;
  if (doubtful || (touched_ & shows_state) != 0 || std::ranges::any_of(sets, of_base)) {
    touched_ |= unseen_text;
    return;
  }
  ParameterList settings = base_;
  for (const Parameter& one : overrides_.list()) {
    if (one.value == was_reset) {
      erase_parameter(settings, one.name);
    } else {
      put_parameter(settings, one.name, one.value);
    }
  }
  for (const wire::PlainSet& set : sets) {
    const Parameter* const reported = find_parameter(*defaults_, set.name);
    if (!set.value) {
      erase_parameter(settings, set.name);
    } else if (reported == nullptr) {
      put_parameter(settings, set.name, *set.value);
    } else if (find_parameter(settings, set.name) == nullptr) {
      // Its value was reported, unless it is the default's. The session's own now, though that may change.
      put_parameter(settings, reported->name, reported->value);
    }
  }
  if (!audit_due()) named_settings_.clear();
  settings_found(std::move(settings));
}

}  // namespace pgring
