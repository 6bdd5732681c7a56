#include "src/session/parameters.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>

#include "src/base/check.h"
#include "wire/literal.h"

namespace pgring {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool name_less(std::string_view a, std::string_view b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](char x, char y) { return lower(x) < lower(y); });
}

// Any total order will do; names compare without case, values exactly.
bool list_less(const ParameterList& a, const ParameterList& b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](const Parameter& x, const Parameter& y) {
                                        if (name_less(x.name, y.name)) return true;
                                        if (name_less(y.name, x.name)) return false;
                                        return x.value < y.value;
                                      });
}

}  // namespace

bool same_parameter_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return lower(x) == lower(y); });
}

const Parameter* find_parameter(const ParameterList& list, std::string_view name) {
  const auto at = std::lower_bound(list.begin(), list.end(), name,
                                   [](const Parameter& entry, std::string_view wanted) {
                                     return name_less(entry.name, wanted);
                                   });
  return at != list.end() && same_parameter_name(at->name, name) ? &*at : nullptr;
}

void put_parameter(ParameterList& list, std::string_view name, std::string_view value) {
  const auto at = std::lower_bound(list.begin(), list.end(), name,
                                   [](const Parameter& entry, std::string_view wanted) {
                                     return name_less(entry.name, wanted);
                                   });
  if (at != list.end() && same_parameter_name(at->name, name)) {
    at->value = value;
  } else {
    list.insert(at, {std::string{name}, std::string{value}});
  }
}

void erase_parameter(ParameterList& list, std::string_view name) {
  if (const Parameter* const found = find_parameter(list, name))
    list.erase(list.begin() + (found - list.data()));
}

namespace {

constexpr std::string_view application_name = "application_name";

}  // namespace

struct Overrides::Node {
  ParameterTable* table;
  std::uint64_t references;
  ParameterList list;
  std::string planning;
  bool named = false;  // application_name is among them
  Overrides nameless;  // then: the others
};

bool Overrides::differ_in_name_only(const Overrides& other) const {
  const auto rest = [](const Overrides& of) {
    return of.node_ != nullptr && of.node_->named ? of.node_->nameless.node_ : of.node_;
  };
  return node_ == other.node_ || rest(*this) == rest(other);
}

Overrides::Overrides(const Overrides& other) : node_{other.node_} {
  if (node_ != nullptr) ++node_->references;
}

Overrides::~Overrides() {
  if (node_ != nullptr && --node_->references == 0) node_->table->drop(node_);
}

const ParameterList& Overrides::list() const {
  static const ParameterList none;
  return node_ == nullptr ? none : node_->list;
}

const std::string& Overrides::planning() const {
  static const std::string none;
  return node_ == nullptr ? none : node_->planning;
}

struct ParameterTable::Less {
  bool operator()(const Overrides::Node* node, const ParameterList& list) const {
    return list_less(node->list, list);
  }
};

ParameterTable::ParameterTable() = default;

ParameterTable::~ParameterTable() { POOLER_CHECK(nodes_.empty()); }

std::size_t ParameterTable::size() const { return nodes_.size(); }

Overrides ParameterTable::intern(ParameterList list) {
  if (list.empty()) return {};
  const auto at = std::lower_bound(nodes_.begin(), nodes_.end(), list, Less{});
  if (at != nodes_.end() && !list_less(list, (*at)->list)) {
    ++(*at)->references;
    return Overrides{*at};
  }
  Overrides nameless;
  const bool named = find_parameter(list, application_name) != nullptr;
  if (named) {
    ParameterList others = list;
    erase_parameter(others, application_name);
    nameless = intern(std::move(others));
  }
  std::string planning = planning_settings(list);
  auto node = std::make_unique<Overrides::Node>(
      Overrides::Node{this, 1, std::move(list), std::move(planning), named, std::move(nameless)});
  Overrides::Node* const raw = node.get();
  nodes_.insert(std::lower_bound(nodes_.begin(), nodes_.end(), raw->list, Less{}), node.release());
  return Overrides{raw};
}

Overrides ParameterTable::with(const Overrides& base, std::string_view name,
                               std::string_view value) {
  if (const auto* present = find_parameter(base.list(), name);
      present != nullptr && present->value == value)
    return base;
  ParameterList list = base.list();
  put_parameter(list, name, value);
  return intern(std::move(list));
}

void ParameterTable::drop(Overrides::Node* node) {
  const std::unique_ptr<Overrides::Node> owned{node};
  const auto at = std::lower_bound(nodes_.begin(), nodes_.end(), node->list, Less{});
  POOLER_CHECK(at != nodes_.end() && *at == node);
  nodes_.erase(at);
}

bool is_server_decided(std::string_view name) {
  constexpr std::array<std::string_view, 5> names{
      "server_version", "server_encoding", "integer_datetimes", "is_superuser", "in_hot_standby"};
  return std::ranges::any_of(
      names, [name](std::string_view known) { return same_parameter_name(known, name); });
}

namespace {

// Whose privileges the others are set with: given up last, taken back first.
bool is_identity(std::string_view name) {
  return same_parameter_name(name, "session_authorization") || same_parameter_name(name, "role");
}

void append_reset(std::string& sql, std::string_view name) {
  sql += sql.empty() ? "RESET " : ";RESET ";
  for (std::size_t start = 0; start <= name.size();) {
    const std::size_t dot = std::min(name.find('.', start), name.size());
    if (start > 0) sql += '.';
    wire::append_quoted_identifier(sql, name.substr(start, dot - start));
    start = dot + 1;
  }
}

// One after the other in one SELECT, which keeps the order.
class SetConfig {
 public:
  explicit SetConfig(std::string& sql) : sql_{sql} {}
  // set_config takes a value as the startup packet does; SET would take a list apart.
  void set(std::string_view name, std::string_view value) {
    sql_ += first_ ? (sql_.empty() ? "SELECT " : ";SELECT ") : ",";
    first_ = false;
    sql_ += "pg_catalog.set_config(";
    wire::append_escape_string(sql_, name);
    sql_ += ',';
    wire::append_escape_string(sql_, value);
    sql_ += ",false)";
  }

 private:
  std::string& sql_;
  bool first_ = true;
};

}  // namespace

std::string replay_sql(const Overrides& from, const Overrides& to, const ParameterList& base) {
  std::string sql;
  if (from == to) return sql;
  const auto goes = [&](const Parameter& one) {
    return find_parameter(to.list(), one.name) == nullptr;
  };
  const auto changes = [&](const Parameter& one) {
    const auto* const there = find_parameter(to.list(), one.name);
    return !is_identity(one.name) && (there == nullptr || there->value != one.value);
  };
  // Settings are changed as whoever logged in, whose they were.
  const bool as_oneself =
      std::ranges::any_of(from.list(), changes) ||
      std::ranges::any_of(to.list(), [&](const Parameter& one) {
        return !is_identity(one.name) && find_parameter(from.list(), one.name) == nullptr;
      });
  for (const std::string_view name : {"role", "session_authorization"}) {
    const Parameter* const one = find_parameter(from.list(), name);
    if (one != nullptr && (goes(*one) || as_oneself)) append_reset(sql, name);
  }
  for (const Parameter& one : from.list()) {
    if (is_identity(one.name) || !goes(one) || find_parameter(base, one.name) != nullptr) continue;
    append_reset(sql, one.name);
  }
  SetConfig config{sql};
  for (const Parameter& one : base) {
    if (find_parameter(from.list(), one.name) != nullptr &&
        find_parameter(to.list(), one.name) == nullptr)
      config.set(one.name, one.value);
  }
  const auto comes = [&](const Parameter& one) {
    const auto* const present = find_parameter(from.list(), one.name);
    return present == nullptr || present->value != one.value;
  };
  for (const Parameter& one : to.list()) {
    if (!is_identity(one.name) && comes(one)) config.set(one.name, one.value);
  }
  // SET SESSION AUTHORIZATION takes the role away.
  const Parameter* const session = find_parameter(to.list(), "session_authorization");
  const bool session_changes =
      session != nullptr &&
      (comes(*session) ||
       (as_oneself && find_parameter(from.list(), "session_authorization") != nullptr));
  if (session_changes) config.set(session->name, session->value);
  const bool session_goes =
      session == nullptr && find_parameter(from.list(), "session_authorization") != nullptr;
  const Parameter* const role = find_parameter(to.list(), "role");
  const bool role_was_given_up = as_oneself && find_parameter(from.list(), "role") != nullptr;
  if (role != nullptr && (comes(*role) || session_changes || session_goes || role_was_given_up))
    config.set(role->name, role->value);
  return sql;
}

std::optional<ring::Duration> setting_duration(std::string_view text) {
  const auto trim = [&] {
    text.remove_prefix(std::min(text.find_first_not_of(" \t\r\n\f\v"), text.size()));
  };
  trim();
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  trim();
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  struct Unit {
    std::string_view name;
    double milliseconds;
  };
  constexpr std::array<Unit, 7> units{{{"", 1.0},
                                       {"us", 0.001},
                                       {"ms", 1.0},
                                       {"s", 1000.0},
                                       {"min", 60'000.0},
                                       {"h", 3'600'000.0},
                                       {"d", 86'400'000.0}}};
  const auto unit = std::ranges::find(units, text, &Unit::name);
  constexpr double longest = 2'147'483'647.0;  // a setting's, in milliseconds
  if (unit == units.end() || !(number >= 0) || number * unit->milliseconds > longest)
    return std::nullopt;
  return std::chrono::milliseconds{std::llround(number * unit->milliseconds)};
}

std::string planning_settings(const ParameterList& overrides) {
  // Known to change neither how a text is read nor how it is planned in a way that shows.
  constexpr std::array<std::string_view, 14> harmless{
      "application_name",     "client_min_messages",
      "deadlock_timeout",     "idle_in_transaction_session_timeout",
      "idle_session_timeout", "lock_timeout",
      "log_duration",         "log_min_duration_statement",
      "log_min_messages",     "log_statement",
      "statement_timeout",    "synchronous_commit",
      "tcp_user_timeout",     "transaction_timeout"};
  std::string settings;
  for (const auto& [name, value] : overrides) {
    if (std::ranges::any_of(
            harmless, [&](std::string_view known) { return same_parameter_name(known, name); }))
      continue;
    for (const char c : name) settings += lower(c);
    settings += '=';
    settings += value;
    settings += '\0';
  }
  return settings;
}

}  // namespace pgring
