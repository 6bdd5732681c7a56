#include "src/session/aborted_block.h"

#include <algorithm>
#include <utility>

#include "wire/byte_reader.h"
#include "wire/error_response.h"
#include "wire/extended_query.h"
#include "wire/message_builder.h"
#include "wire/sql_identifier.h"
#include "wire/sqlstate.h"

namespace pgring {
namespace {

using Outcome = AbortedBlock::Outcome;

Outcome fail(std::string& out, std::string_view sqlstate, std::string_view message,
             std::string_view routine) {
  wire::append_error_response(out, {.severity = "ERROR",
                                    .sqlstate = sqlstate,
                                    .message = message,
                                    .detail = {},
                                    .hint = {},
                                    .routine = routine});
  return Outcome::error;
}

Outcome fail_as_aborted(std::string& out, std::string_view routine) {
  return fail(out, wire::sqlstate::in_failed_sql_transaction,
              "current transaction is aborted, commands ignored until end of transaction block",
              routine);
}

Outcome fail_without_statement(std::string& out, std::string_view name, std::string_view routine) {
  if (name.empty())
    return fail(out, wire::sqlstate::invalid_sql_statement_name,
                "unnamed prepared statement does not exist", routine);
  return fail(out, wire::sqlstate::invalid_sql_statement_name,
              "prepared statement \"" + std::string{name} + "\" does not exist",
              "FetchPreparedStatement");
}

Outcome fail_without_portal(std::string& out, std::string_view name, std::string_view routine) {
  return fail(out, wire::sqlstate::invalid_cursor_name,
              "portal \"" + std::string{name} + "\" does not exist", routine);
}

std::string_view portal_name(std::string_view name) {
  return name.substr(0, wire::identifier_size_max);
}

// How many values a Bind brings; nothing: it is malformed before that. `formats` is that of their formats.
std::optional<std::uint32_t> value_count(std::span<const std::byte> body, std::uint32_t names_size,
                                         std::uint32_t& formats) {
  wire::ByteReader reader{body.subspan(names_size)};
  formats = reader.read_u16();
  (void)reader.read_bytes(std::size_t{formats} * 2);
  const std::uint32_t count = reader.read_u16();
  if (!reader.ok()) return std::nullopt;
  return count;
}

}  // namespace

std::vector<AbortedBlock::Portal>::iterator AbortedBlock::find(std::string_view name) {
  return std::ranges::find(portals_, portal_name(name), &Portal::name);
}

AbortedBlock::Outcome AbortedBlock::run(const wire::SqlTransactionEnd& statement,
                                        std::string& out) {
  if (statement.kind == wire::SqlTransactionEnd::Kind::rollback_to) {
    return fail(out, wire::sqlstate::invalid_savepoint_specification,
                "savepoint \"" + statement.savepoint + "\" does not exist", "RollbackToSavepoint");
  }
  // COMMIT and PREPARE TRANSACTION say what they have done instead.
  wire::append_command_complete(out, "ROLLBACK");
  portals_.clear();
  return statement.chain ? Outcome::chained : Outcome::ended;
}

AbortedBlock::Outcome AbortedBlock::query(std::string_view text, std::string& out) {
  const auto statement = wire::read_transaction_end(text);
  if (statement.kind == wire::SqlTransactionEnd::Kind::empty) {
    wire::append_empty_query(out);
    return Outcome::answered;
  }
  if (!statement.is_exit()) return fail_as_aborted(out, "exec_simple_query");
  // What is behind it runs in another transaction.
  if (!statement.alone && statement.kind != wire::SqlTransactionEnd::Kind::rollback_to)
    return Outcome::unknown;
  return run(statement, out);
}

AbortedBlock::Outcome AbortedBlock::parse(std::string_view name, std::string_view text,
                                          bool name_taken, std::string& out) {
  const auto statement = wire::read_transaction_end(text);
  if (!statement.alone) {
    return fail(out, wire::sqlstate::syntax_error,
                "cannot insert multiple commands into a prepared statement", "exec_parse_message");
  }
  if (statement.kind == wire::SqlTransactionEnd::Kind::other)
    return fail_as_aborted(out, "exec_parse_message");
  if (name_taken) {
    return fail(out, wire::sqlstate::duplicate_prepared_statement,
                "prepared statement \"" + std::string{name} + "\" already exists",
                "StorePreparedStatement");
  }
  wire::append_parse_complete(out);
  return Outcome::answered;
}

AbortedBlock::Outcome AbortedBlock::bind(std::span<const std::byte> body,
                                         const std::optional<Known>& known, std::string& out) {
  constexpr std::string_view routine = "exec_bind_message";
  const auto names = wire::read_bind_names(body);
  if (!names) return Outcome::unknown;
  if (!known) return fail_without_statement(out, names->statement, routine);
  std::uint32_t formats = 0;
  const auto values = value_count(body, names->size, formats);
  if (!values) return Outcome::unknown;
  if (formats > 1 && formats != *values) {
    return fail(out, wire::sqlstate::protocol_violation,
                "bind message has " + std::to_string(formats) + " parameter formats but " +
                    std::to_string(*values) + " parameters",
                routine);
  }
  auto statement = wire::read_transaction_end(known->text);
  const bool counted = known->found != nullptr || statement.is_exit();
  const std::size_t wanted =
      known->found != nullptr ? known->found->types.size() : known->types.size();
  if (counted && *values != wanted) {
    return fail(out, wire::sqlstate::protocol_violation,
                "bind message supplies " + std::to_string(*values) +
                    " parameters, but prepared statement \"" + std::string{names->statement} +
                    "\" requires " + std::to_string(wanted),
                routine);
  }
  if (!statement.is_exit() || *values != 0) return fail_as_aborted(out, routine);
  const auto present = find(names->portal);
  if (present != portals_.end()) {
    if (!names->portal.empty()) {
      return fail(out, wire::sqlstate::duplicate_cursor,
                  "cursor \"" + std::string{names->portal} + "\" already exists", "CreatePortal");
    }
    portals_.erase(present);
  }
  portals_.push_back({std::string{portal_name(names->portal)}, std::move(statement)});
  wire::append_bind_complete(out);
  return Outcome::answered;
}

AbortedBlock::Outcome AbortedBlock::describe_statement(std::string_view name,
                                                       const std::optional<Known>& known,
                                                       std::string& out) {
  constexpr std::string_view routine = "exec_describe_statement_message";
  if (!known) return fail_without_statement(out, name, routine);
  const auto kind = wire::read_transaction_end(known->text);
  const bool no_rows = known->found != nullptr ? known->found->columns.empty()
                                               : kind.kind != wire::SqlTransactionEnd::Kind::other;
  if (!no_rows) return fail_as_aborted(out, routine);
  wire::append_parameter_description(out,
                                     known->found != nullptr ? known->found->types : known->types);
  wire::append_no_data(out);
  return Outcome::answered;
}

AbortedBlock::Outcome AbortedBlock::describe_portal(std::string_view name, std::string& out) {
  if (find(name) == portals_.end())
    return fail_without_portal(out, name, "exec_describe_portal_message");
  wire::append_no_data(out);
  return Outcome::answered;
}

AbortedBlock::Outcome AbortedBlock::execute(std::span<const std::byte> body, std::string& out) {
  wire::ByteReader reader{body};
  const auto name = reader.read_cstring();
  (void)reader.read_u32();
  if (!name || !reader.at_end()) return Outcome::unknown;
  const auto portal = find(*name);
  if (portal == portals_.end()) return fail_without_portal(out, *name, "exec_execute_message");
  return run(wire::SqlTransactionEnd{portal->statement}, out);
}

AbortedBlock::Outcome AbortedBlock::close_portal(std::string_view name, std::string& out) {
  if (const auto portal = find(name); portal != portals_.end()) portals_.erase(portal);
  wire::append_close_complete(out);
  return Outcome::answered;
}

AbortedBlock::Outcome AbortedBlock::refuse(std::string_view routine, std::string& out) {
  return fail_as_aborted(out, routine);
}

}  // namespace pgring
