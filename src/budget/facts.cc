#include "src/budget/facts.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

#include "src/base/utf8.h"
#include "wire/byte_reader.h"
#include "wire/literal.h"

namespace pgring {
namespace {

// The statements of facts_query(), in their order.
enum class Statement : std::uint8_t { timeout, isolation, instance, roles, databases, backends };
constexpr std::size_t statement_count = 6;
constexpr std::array<std::size_t, statement_count> column_counts{0, 0, 7, 4, 3, 6};

// PostgreSQL's NAMEDATALEN - 1: what a longer name of a startup packet is cut to.
constexpr std::size_t name_bytes_max = 63;

// From 12 on walsenders have slots of their own (max_wal_senders).
constexpr std::uint32_t first_version_with_walsender_slots = 120000;

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

// A name as an SQL value that no encoding can make fail: a literal is checked against the database's encoding,
// and one bad name would cost the facts of all. False: it cannot be written, and is not asked for.
bool append_name(std::string& sql, std::string_view name) {
  name = name.substr(0, name_bytes_max);
  if (name.empty() || name.find('\0') != std::string_view::npos) return false;
  if (is_ascii(name)) {
    wire::append_escape_string(sql, name);
    return true;
  }
  if (!is_utf8(name)) return false;
  constexpr std::string_view digits = "0123456789abcdef";
  sql +=
      "CASE WHEN pg_catalog.getdatabaseencoding() OPERATOR(pg_catalog.=) 'UTF8' THEN "
      "pg_catalog.convert_from(CAST(E'\\\\x";
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    sql += digits[byte >> 4];
    sql += digits[byte & 15];
  }
  sql += "' AS pg_catalog.bytea), 'UTF8') END";
  return true;
}

// The names as a table asked(at, name). There is a row in any case: VALUES cannot be empty.
void append_names(std::string& sql, const std::vector<std::string>& names) {
  sql += "(VALUES (-1, NULL::pg_catalog.text)";
  std::string value;
  for (std::size_t at = 0; at < names.size(); ++at) {
    value.clear();
    if (!append_name(value, names[at])) continue;
    sql += ", (" + std::to_string(at) + ", " + value + ")";
  }
  sql += ") AS asked(at, name)";
}

template <class Number>
std::optional<Number> number(const std::optional<std::string_view>& text) {
  Number value{};
  if (!text) return std::nullopt;
  const std::span digits{*text};
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

// -1 is none. PostgreSQL marks a database that was dropped halfway with -2: nobody can connect to it anyway.
bool read_limit(const std::optional<std::string_view>& text, std::optional<std::uint32_t>& limit) {
  const auto value = number<std::int32_t>(text);
  if (!value) return false;
  if (*value >= 0) limit = static_cast<std::uint32_t>(*value);
  return true;
}

// Which of the names a row is about.
const std::string* asked_name(const std::vector<std::string>& names,
                              const std::optional<std::string_view>& at) {
  const auto index = number<std::uint32_t>(at);
  return index && *index < names.size() ? &names[*index] : nullptr;
}

// Of a backend: by its oid when it is one of ours, as the server spells it otherwise, empty when it has none.
bool read_name(const std::map<std::uint32_t, const std::string*>& known,
               const std::optional<std::string_view>& oid,
               const std::optional<std::string_view>& spelled, std::string& name) {
  if (!oid) return true;
  const auto value = number<std::uint32_t>(oid);
  if (!value) return false;
  if (const auto at = known.find(*value); at != known.end()) {
    name = *at->second;
  } else if (spelled) {
    name = spelled->substr(0, name_bytes_max);
  }
  return true;
}

}  // namespace

// Notes on the text:
// - The two SETs hold to the end of the Query's own transaction. They make it independent of the session's
//   settings: a deferrable serializable transaction would wait for others, and the time limit keeps a lock on
//   a catalog (VACUUM FULL) from holding the connection.
// - An administrator may have taken pg_control_system() from PUBLIC. Inside a CASE a function's privilege is
//   checked even where it is not called; query_to_xml() checks it when it runs (and needs no libxml).
// - backend_type is NULL for backends the role may not look into; leader_pid (13+) is not needed, as a
//   parallel worker that can be looked into has a type of its own.
std::string facts_query(const FactsNames& names) {
  std::string sql =
      "/* pgring: the limits and connections of this server */ "
      "SET LOCAL statement_timeout = 5000; "
      "SET TRANSACTION ISOLATION LEVEL READ COMMITTED, READ ONLY, NOT DEFERRABLE; "
      "SELECT pg_catalog.substring(CAST(CASE WHEN "
      "pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'execute') THEN "
      "pg_catalog.query_to_xml('SELECT system_identifier FROM pg_catalog.pg_control_system()', "
      "true, true, '') END AS pg_catalog.text), '<system_identifier>(-?[0-9]+)<'), "
      "CAST(EXTRACT(epoch FROM pg_catalog.pg_postmaster_start_time()) "
      "OPERATOR(pg_catalog.*) 1000000 AS pg_catalog.int8), "
      "pg_catalog.pg_backend_pid(), "
      "pg_catalog.current_setting('max_connections'), "
      "pg_catalog.current_setting('superuser_reserved_connections'), "
      "pg_catalog.current_setting('reserved_connections', true), "
      "pg_catalog.current_setting('server_version_num'); "
      "SELECT asked.at, r.oid, r.rolconnlimit, r.rolsuper FROM pg_catalog.pg_roles AS r JOIN ";
  append_names(sql, names.roles);
  sql +=
      " ON CAST(r.rolname AS pg_catalog.text) OPERATOR(pg_catalog.=) asked.name; "
      "SELECT asked.at, d.oid, d.datconnlimit FROM pg_catalog.pg_database AS d JOIN ";
  append_names(sql, names.databases);
  sql +=
      " ON CAST(d.datname AS pg_catalog.text) OPERATOR(pg_catalog.=) asked.name; "
      "SELECT a.pid, a.datid, "
      "CASE WHEN CAST(a.datname AS pg_catalog.text) COLLATE pg_catalog.\"C\" "
      "OPERATOR(pg_catalog.~) '^[!-~]+$' "
      "THEN a.datname END, a.usesysid, "
      "CASE WHEN CAST(a.usename AS pg_catalog.text) COLLATE pg_catalog.\"C\" "
      "OPERATOR(pg_catalog.~) '^[!-~]+$' "
      "THEN a.usename END, a.backend_type FROM pg_catalog.pg_stat_activity AS a";
  return sql;
}

FactsReader::FactsReader(std::shared_ptr<const FactsNames> names) : names_{std::move(names)} {}

void FactsReader::fail(std::string_view what) {
  if (error_.empty()) error_ = what;
}

void FactsReader::row(std::span<const std::byte> data_row_body) {
  if (!error_.empty()) return;
  bytes_ += data_row_body.size();
  if (++rows_ > rows_max || bytes_ > bytes_max) return fail("the answer is too long");
  if (statement_ >= statement_count) return fail("more results than were asked for");
  const std::size_t count = column_counts[statement_];
  wire::ByteReader reader{data_row_body};
  if (count == 0 || reader.read_u16() != count) return fail("a row has not the columns asked for");
  std::array<std::optional<std::string_view>, columns_max> values;
  for (std::size_t column = 0; column < count; ++column) {
    const std::uint32_t size = reader.read_u32();
    if (size == std::numeric_limits<std::uint32_t>::max()) continue;  // NULL
    values[column] = wire::as_text(reader.read_bytes(size));
  }
  if (!reader.at_end()) return fail("a row is malformed");
  const Values row{values.data(), count};
  switch (static_cast<Statement>(statement_)) {
    case Statement::timeout:
    case Statement::isolation:
      return fail("a row where none is due");
    case Statement::instance:
      return instance_row(row);
    case Statement::roles:
      return role_row(row);
    case Statement::databases:
      return database_row(row);
    case Statement::backends:
      return backend_row(row);
  }
}

void FactsReader::instance_row(Values values) {
  const auto started = number<std::int64_t>(values[1]);
  const auto pid = number<std::uint32_t>(values[2]);
  const auto connections = number<std::uint32_t>(values[3]);
  const auto superusers = number<std::uint32_t>(values[4]);
  const auto identifier = number<std::int64_t>(values[0]);  // as SQL has it: signed
  const auto reserved = number<std::uint32_t>(values[5]);
  const auto version = number<std::uint32_t>(values[6]);
  if (std::exchange(instance_seen_, true)) return fail("two rows about the instance");
  if (!started || !pid || !connections || !superusers || !version || (values[0] && !identifier) ||
      (values[5] && !reserved))
    return fail("a number about the instance cannot be read");
  facts_.system_identifier = static_cast<std::uint64_t>(identifier.value_or(0));
  facts_.started_us = *started;
  facts_.own_pid = *pid;
  facts_.max_connections = *connections;
  facts_.superuser_reserved = *superusers;
  facts_.reserved = reserved.value_or(0);
  facts_.server_version = *version;
}

void FactsReader::role_row(Values values) {
  const std::string* const name = asked_name(names_->roles, values[0]);
  const auto oid = number<std::uint32_t>(values[1]);
  if (name == nullptr || !oid || !values[3]) return fail("a row about a role cannot be read");
  RoleFacts role{.name = *name, .superuser = *values[3] == "t"};
  if (!read_limit(values[2], role.connection_limit)) return fail("a role's limit cannot be read");
  role_names_.emplace(*oid, name);  // two names may be one to the server, both cut to 63 bytes
  facts_.roles.push_back(std::move(role));
}

void FactsReader::database_row(Values values) {
  const std::string* const name = asked_name(names_->databases, values[0]);
  const auto oid = number<std::uint32_t>(values[1]);
  if (name == nullptr || !oid) return fail("a row about a database cannot be read");
  DatabaseFacts database{.name = *name};
  if (!read_limit(values[2], database.connection_limit))
    return fail("a database's limit cannot be read");
  database_names_.emplace(*oid, name);
  facts_.databases.push_back(std::move(database));
}

void FactsReader::backend_row(Values values) {
  Backend backend;
  const auto pid = number<std::uint32_t>(values[0]);
  if (!pid || !read_name(database_names_, values[1], values[2], backend.database) ||
      !read_name(role_names_, values[3], values[4], backend.role))
    return fail("a row about a backend cannot be read");
  backend.pid = *pid;
  // What has no user and no database is a process of the server's own, or a client still logging in.
  const auto& type = values[5];
  backend.estimated = !type && values[1] && values[3];
  const bool walsender = facts_.server_version < first_version_with_walsender_slots &&
                         type == std::string_view{"walsender"};
  backend.client = backend.estimated || walsender || type == std::string_view{"client backend"};
  facts_.hidden = facts_.hidden || backend.estimated;
  facts_.backends.push_back(std::move(backend));
}

Result<Facts, std::string> FactsReader::finish() {
  if (!error_.empty()) return Unexpected{std::move(error_)};
  if (statement_ != statement_count || !instance_seen_)
    return Unexpected{std::string{"the answer is not complete"}};
  return std::move(facts_);
}

}  // namespace pgring
