// Messages and transactions; what texts do is in session_texts.cc.
#include "tests/simulation/session_sim.h"

#include <algorithm>
#include <array>
#include <span>

#include "tests/simulation/session_texts.h"
#include "wire/byte_reader.h"
#include "wire/extended_query.h"
#include "wire/message_builder.h"

namespace sim {
namespace {

constexpr std::uint32_t text_type = 25;

std::vector<std::string_view> columns_of(std::string_view text) {
  if (text.starts_with("show ")) return {text.substr(5)};
  if (text.starts_with("SELECT 's'")) return {"kind", "name", "setting"};
  if (text.starts_with("select ") || text.starts_with("SELECT ") || text.starts_with("/* pgring: "))
    return {"?column?"};
  return {};
}

void append_columns(std::string& out, std::string_view text) {
  std::vector<wire::ColumnDescription> columns;
  for (const auto name : columns_of(text)) columns.push_back({name, text_type, -1});
  if (columns.empty()) return wire::append_no_data(out);
  wire::append_row_description(out, columns);
}

void append_row(std::string& out, const std::vector<std::string>& row) {
  std::vector<std::optional<std::string_view>> values(row.begin(), row.end());
  wire::append_data_row(out, values);
}

std::span<const std::byte> bytes_of(std::string_view body) {
  return std::as_bytes(std::span{body});
}

}  // namespace

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

std::optional<std::pair<char, std::string>> take_message(std::string& input) {
  if (input.size() < 5) return std::nullopt;
  const std::size_t size = std::size_t{1} + number_at(input, 1);
  if (input.size() < size) return std::nullopt;
  std::pair<char, std::string> message{input[0], input.substr(5, size - 5)};
  input.erase(0, size);
  return message;
}

std::string readable_message(char type, std::string_view body) {
  std::string text{type};
  text += ' ';
  for (const char c : body) text += c < ' ' || c > '~' ? '.' : c;
  return text;
}

SimSession::SimSession(SessionHabits habits) : habits_{habits}, reported_{reported_at_login()} {}

const SimSession::Settings& SimSession::reported_at_login() {
  static const Settings settings{{"application_name", ""}, {"TimeZone", "UTC"}};
  return settings;
}

std::string SimSession::default_of(std::string_view name) {
  if (const auto at = reported_at_login().find(name); at != reported_at_login().end())
    return at->second;
  return is_custom(name) ? "" : "default";
}

std::string SimSession::value_of(std::string_view name) const {
  if (const auto at = local_.find(name); at != local_.end()) return at->second;
  if (const auto at = session_.find(name); at != session_.end()) return at->second;
  return default_of(name);
}

// Transactions.

void SimSession::begin_statement() {
  if (!saved_) saved_ = Saved{session_, tables_};
}

void SimSession::end_transaction(bool commit) {
  if (saved_ && !commit) {
    session_ = std::move(saved_->session);
    tables_ = std::move(saved_->tables);
  }
  saved_.reset();
  local_.clear();
  portals_.clear();
}

void SimSession::error(std::string_view sqlstate, std::string& out) {
  wire::append_error_response(out, {.severity = "ERROR",
                                    .sqlstate = sqlstate,
                                    .message = "as it should be",
                                    .detail = {},
                                    .hint = {}});
  end_transaction(false);
  if (status_ == 'T') status_ = 'E';
}

void SimSession::extended_error(std::string_view sqlstate, std::string& out) {
  error(sqlstate, out);
  skipping_ = true;
}

void SimSession::fail(char type, std::string_view sqlstate, std::string& out) {
  if (type != 'Q') return extended_error(sqlstate, out);
  statements_.erase("");
  error(sqlstate, out);
  ready(out);
}

void SimSession::report(std::string& out) {
  for (auto& [name, told] : reported_) {
    auto now = value_of(name);
    if (now == told) continue;
    told = std::move(now);
    wire::append_parameter_status(out, name, told);
  }
}

// The end of a Query or a Sync.
void SimSession::ready(std::string& out) {
  if (status_ == 'I') end_transaction(true);
  report(out);
  wire::append_ready_for_query(out, status_);
}

bool SimSession::allowed(std::string_view text, std::string& out) {
  if (status_ != 'E' || ends_transaction(text)) return true;
  error("25P02", out);
  return false;
}

// Messages.

void SimSession::message(char type, std::string_view body, std::string& out) {
  if (type == 'S') {
    skipping_ = false;
    return ready(out);
  }
  if (skipping_) return;
  switch (type) {
    case 'Q':
      return query(body, out);
    case 'P':
      return parse(body, out);
    case 'B':
      return bind(body, out);
    case 'D':
      return describe(body, out);
    case 'E':
      return execute(body, out);
    case 'C':
      return close(body, out);
    default:
      return;  // Flush
  }
}

void SimSession::query(std::string_view body, std::string& out) {
  std::string_view rest = body.substr(0, body.size() - 1);
  statements_.erase("");
  std::vector<std::string_view> texts;
  // No string here holds a semicolon, but for the question for the server's limits, which is taken as one.
  const bool limits = rest.starts_with("/* pgring: ");
  if (limits) texts.push_back(rest);
  for (std::size_t at = 0; at <= rest.size() && !limits;) {
    const auto end = std::min(rest.find(';', at), rest.size());
    if (end > at) texts.push_back(rest.substr(at, end - at));
    at = end + 1;
  }
  if (texts.empty()) wire::append_empty_query(out);
  bool failed = false;
  if (!std::ranges::all_of(texts, is_understood)) {
    error("42601", out);
    failed = true;
  }
  for (const auto text : texts) {
    if (failed || !allowed(text, out)) break;
    begin_statement();
    const Outcome outcome = run(text, {});
    if (!outcome.sqlstate.empty()) {
      error(outcome.sqlstate, out);
      break;
    }
    if (!columns_of(text).empty()) append_columns(out, text);
    for (const auto& row : outcome.rows) append_row(out, row);
    if (habits_.reports_at_once) report(out);
    wire::append_command_complete(out, outcome.tag);
  }
  ready(out);
}

void SimSession::parse(std::string_view body, std::string& out) {
  const auto parsed = wire::read_parse(bytes_of(body));
  if (!parsed) return extended_error("08P01", out);
  const std::string name{parsed->name};
  if (name.empty()) statements_.erase(name);
  if (!parsed->text.empty() && !is_understood(parsed->text)) return extended_error("42601", out);
  if (!parsed->text.empty() && !allowed(parsed->text, out)) {
    skipping_ = true;
    return;
  }
  if (statements_.contains(name)) return extended_error("42P05", out);
  begin_statement();
  statements_.emplace(name, parsed->text);
  wire::append_parse_complete(out);
}

void SimSession::bind(std::string_view body, std::string& out) {
  const auto names = wire::read_bind_names(bytes_of(body));
  if (!names) return extended_error("08P01", out);
  const auto statement = statements_.find(std::string{names->statement});
  if (statement == statements_.end()) return extended_error("26000", out);
  if (!allowed(statement->second, out)) {
    skipping_ = true;
    return;
  }
  const std::string portal{names->portal};
  if (!portal.empty() && portals_.contains(portal)) return extended_error("42P03", out);
  wire::ByteReader reader{bytes_of(body)};
  (void)reader.read_bytes(names->size);
  (void)reader.read_bytes(std::size_t{2} * reader.read_u16());
  const auto count = reader.read_u16();
  const bool wants = statement->second.find("$1") != std::string::npos;
  if (count != (wants ? 1 : 0)) return extended_error("08P01", out);
  std::string value;
  if (wants) value = wire::as_text(reader.read_bytes(reader.read_u32()));
  if (value.starts_with("bad ")) return extended_error("22P02", out);
  begin_statement();
  portals_[portal] = {statement->second, std::move(value)};
  wire::append_bind_complete(out);
}

void SimSession::describe(std::string_view body, std::string& out) {
  const auto target = wire::read_target(bytes_of(body));
  if (!target) return extended_error("08P01", out);
  const std::string name{target->name};
  const bool of_statement = target->kind == 'S';
  std::string text;
  if (of_statement) {
    const auto at = statements_.find(name);
    if (at == statements_.end()) return extended_error("26000", out);
    text = at->second;
  } else {
    const auto at = portals_.find(name);
    if (at == portals_.end()) return extended_error("34000", out);
    text = at->second.text;
  }
  if (status_ == 'E' && !columns_of(text).empty()) return extended_error("25P02", out);
  if (of_statement) {
    const bool wants = text.find("$1") != std::string::npos;
    const std::array<std::uint32_t, 1> types{text_type};
    wire::append_parameter_description(out, std::span{types}.first(wants ? 1 : 0));
  }
  append_columns(out, text);
}

void SimSession::execute(std::string_view body, std::string& out) {
  const auto at = portals_.find(std::string{body.substr(0, body.find('\0'))});
  if (at == portals_.end()) return extended_error("34000", out);
  const Portal portal = at->second;
  if (portal.text.empty()) return wire::append_empty_query(out);
  if (!allowed(portal.text, out)) {
    skipping_ = true;
    return;
  }
  begin_statement();
  const Outcome outcome = run(portal.text, portal.value);
  if (!outcome.sqlstate.empty()) return extended_error(outcome.sqlstate, out);
  for (const auto& row : outcome.rows) append_row(out, row);
  if (habits_.reports_at_once) report(out);
  wire::append_command_complete(out, outcome.tag);
}

void SimSession::close(std::string_view body, std::string& out) {
  const auto target = wire::read_target(bytes_of(body));
  if (!target) return extended_error("08P01", out);
  if (target->kind == 'S') {
    statements_.erase(std::string{target->name});
  } else {
    portals_.erase(std::string{target->name});
  }
  wire::append_close_complete(out);
}

}  // namespace sim
