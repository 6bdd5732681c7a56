#include "tests/simulation/session_texts.h"

#include <algorithm>
#include <array>

#include "tests/simulation/session_sim.h"

namespace sim {

bool is_custom(std::string_view name) { return name.find('.') != std::string_view::npos; }

namespace {

bool is_known(std::string_view name) {
  constexpr std::array<std::string_view, 6> names{"application_name", "TimeZone",     "search_path",
                                                  "work_mem",         "lock_timeout", "role"};
  return is_custom(name) || std::ranges::find(names, name) != names.end();
}

// Between the first two quotes behind `at`.
std::string_view quoted(std::string_view text, std::size_t at = 0) {
  const auto begin = text.find('\'', at) + 1;
  return text.substr(begin, text.find('\'', begin) - begin);
}

// Between `before` and the next of `ends`.
std::string_view behind(std::string_view text, std::string_view before, std::string_view ends) {
  const auto rest = text.substr(before.size());
  return rest.substr(0, rest.find_first_of(ends));
}

}  // namespace

bool ends_transaction(std::string_view text) { return text == "commit" || text == "rollback"; }

// What a client of the simulation and pgring itself say, and no other text.
bool is_understood(std::string_view text) {
  constexpr std::array<std::string_view, 14> beginnings{"select ",
                                                        "show ",
                                                        "set ",
                                                        "reset ",
                                                        "discard all",
                                                        "deallocate all",
                                                        "create temp table ",
                                                        "drop table ",
                                                        "SELECT ",
                                                        "RESET ",
                                                        "DISCARD ALL",
                                                        "begin",
                                                        "BEGIN",
                                                        "/* pgring: "};
  return ends_transaction(text) ||
         std::ranges::any_of(beginnings, [&](auto one) { return text.starts_with(one); });
}

SimSession::Outcome SimSession::run(std::string_view text, std::string_view value) {
  if (auto outcome = run_transaction(text)) return std::move(*outcome);
  if (auto outcome = run_setting(text)) return std::move(*outcome);
  if (auto outcome = run_state(text)) return std::move(*outcome);
  if (text.starts_with("SELECT 's'")) return run_audit(text);
  if (text.starts_with("SELECT pg_catalog.set_config")) return run_set_config(text);
  // Limits are asked for by a text that has no answer here: the test tells them itself.
  if (text.starts_with("SELECT ") || text.starts_with("/* pgring: "))
    return {.tag = "SELECT 1", .rows = {{"?"}}, .sqlstate = {}};
  if (text.starts_with("select fail(")) return {.tag = {}, .rows = {}, .sqlstate = "22012"};
  std::string row{quoted(text)};
  if (text.find("$1") != std::string_view::npos) row += value;
  return {.tag = "SELECT 1", .rows = {{std::move(row)}}, .sqlstate = {}};
}

std::optional<SimSession::Outcome> SimSession::run_transaction(std::string_view text) {
  if (text == "begin" || text == "BEGIN") {
    if (status_ == 'I') status_ = 'T';
    return Outcome{.tag = "BEGIN", .rows = {}, .sqlstate = {}};
  }
  if (!ends_transaction(text)) return std::nullopt;
  const bool commit = text == "commit" && status_ != 'E';
  end_transaction(commit);
  status_ = 'I';
  return Outcome{.tag = commit ? "COMMIT" : "ROLLBACK", .rows = {}, .sqlstate = {}};
}

void SimSession::set(std::string_view name, std::string_view value) {
  local_.erase(std::string{name});
  session_[std::string{name}] = value;
}

void SimSession::reset(std::string_view name) {
  local_.erase(std::string{name});
  session_.erase(std::string{name});
}

std::optional<SimSession::Outcome> SimSession::run_setting(std::string_view text) {
  const auto done = [](std::string_view tag) {
    return Outcome{.tag = std::string{tag}, .rows = {}, .sqlstate = {}};
  };
  const Outcome unknown{.tag = {}, .rows = {}, .sqlstate = "42704"};
  if (text.starts_with("show ")) {
    const auto name = text.substr(5);
    if (!is_known(name)) return unknown;
    return Outcome{.tag = "SHOW", .rows = {{value_of(name)}}, .sqlstate = {}};
  }
  if (text.starts_with("set local ")) {
    local_[std::string{behind(text, "set local ", " ")}] = quoted(text);
    return done("SET");
  }
  if (text.starts_with("set ")) {
    const auto name = behind(text, "set ", " ");
    if (!is_known(name)) return unknown;
    set(name, quoted(text));
    return done("SET");
  }
  // A function that sets something, of which the text shows nothing.
  if (text.starts_with("select sneak(")) {
    set("TimeZone", quoted(text));
    return Outcome{.tag = "SELECT 1", .rows = {{std::string{quoted(text)}}}, .sqlstate = {}};
  }
  const bool discard = text == "discard all" || text == "DISCARD ALL";
  if (discard && status_ == 'T') return Outcome{.tag = {}, .rows = {}, .sqlstate = "25001"};
  if (discard) {
    statements_.clear();
    locks_.clear();
    tables_.clear();
  }
  if (discard || text == "reset all" || text == "RESET ALL") {
    session_.clear();
    local_.clear();
    return done(discard ? "DISCARD ALL" : "RESET");
  }
  if (text == "deallocate all") {
    statements_.clear();
    return done("DEALLOCATE ALL");
  }
  if (text.starts_with("reset ") || text.starts_with("RESET ")) {
    std::string name{text.substr(6)};
    std::erase(name, '"');
    if (!is_known(name)) return unknown;
    reset(name);
    return done("RESET");
  }
  return std::nullopt;
}

std::optional<SimSession::Outcome> SimSession::run_state(std::string_view text) {
  const auto row = [](std::string value) {
    return Outcome{.tag = "SELECT 1", .rows = {{std::move(value)}}, .sqlstate = {}};
  };
  if (text.starts_with("select pg_advisory_lock(")) {
    locks_.emplace(behind(text, "select pg_advisory_lock(", ")"));
    return row("");
  }
  if (text.starts_with("select pg_advisory_unlock(")) {
    const std::string key{behind(text, "select pg_advisory_unlock(", ")")};
    return row(locks_.erase(key) > 0 ? "t" : "f");
  }
  if (text.starts_with("create temp table ")) {
    const bool made = tables_.emplace(behind(text, "create temp table ", " ")).second;
    return Outcome{.tag = "CREATE TABLE", .rows = {}, .sqlstate = made ? "" : "42P07"};
  }
  if (text.starts_with("drop table ")) {
    const bool was = tables_.erase(std::string{text.substr(11)}) > 0;
    return Outcome{.tag = "DROP TABLE", .rows = {}, .sqlstate = was ? "" : "42P01"};
  }
  if (const auto from = text.find("' from temp_"); from != std::string_view::npos) {
    if (!tables_.contains(std::string{text.substr(from + 7)}))
      return Outcome{.tag = {}, .rows = {}, .sqlstate = "42P01"};
  }
  return std::nullopt;
}

SimSession::Outcome SimSession::run_audit(std::string_view text) const {
  Outcome outcome;
  const auto add = [&](std::string kind, std::string name, std::string setting) {
    outcome.rows.push_back({std::move(kind), std::move(name), std::move(setting)});
  };
  for (const auto& [name, value] : session_)
    if (!is_custom(name)) add("s", name, value);
  add("u", "", "app");
  if (!locks_.empty()) add("p", "advisory lock", "");
  if (!tables_.empty()) add("p", "temporary object", "");
  constexpr std::string_view asked = "current_setting(E";
  for (auto at = text.find(asked); at != std::string_view::npos; at = text.find(asked, at + 1)) {
    const auto name = quoted(text, at);
    if (const auto found = session_.find(name); found != session_.end())
      add("s", std::string{name}, found->second);
  }
  outcome.tag = "SELECT " + std::to_string(outcome.rows.size());
  return outcome;
}

SimSession::Outcome SimSession::run_set_config(std::string_view text) {
  constexpr std::string_view call = "set_config(E";
  for (auto at = text.find(call); at != std::string_view::npos; at = text.find(call, at + 1)) {
    const auto name = quoted(text, at);
    if (!is_known(name)) return {.tag = {}, .rows = {}, .sqlstate = "42704"};
    const auto value_at = at + call.size() + name.size() + 2;
    set(name, quoted(text, value_at));
  }
  return {.tag = "SELECT 1", .rows = {{"?"}}, .sqlstate = {}};
}

}  // namespace sim
