// The messages of the extended protocol. Statements take no parameters; results come in the formats
// asked for. Source: protocol-flow, "Extended Query"; src/backend/tcop/postgres.c for messages and
// SQLSTATEs.
#include "src/console/session_state.h"
#include "src/console/show.h"
#include "wire/byte_reader.h"
#include "wire/message_builder.h"
#include "wire/message_type.h"
#include "wire/sqlstate.h"

namespace pgring::console {

namespace frontend = wire::frontend;
namespace sqlstate = wire::sqlstate;

namespace {

constexpr std::string_view duplicate_cursor = "42P03";
constexpr std::string_view malformed = "invalid message format";

std::string in_quotes(std::string_view name) { return "\"" + std::string{name} + "\""; }

// How long a name an error repeats.
std::string_view shown(std::string_view name) { return name.substr(0, 63); }

}  // namespace

void ConsoleState::extended_message(char type, std::span<const std::byte> body) {
  source_ = Source::extended;
  switch (type) {
    case frontend::Parse:
      return parse(body);
    case frontend::Bind:
      return bind(body);
    case frontend::Describe:
      return describe(body);
    case frontend::Execute:
      return execute(body);
    default:
      return close(body);
  }
}

void ConsoleState::parse(std::span<const std::byte> body) {
  wire::ByteReader reader{body};
  const auto name = reader.read_cstring();
  const auto text = reader.read_cstring();
  const std::uint16_t types = reader.read_u16();
  (void)reader.read_bytes(std::size_t{types} * 4);
  if (!name || !text || !reader.at_end()) return protocol_error(std::string{malformed});
  if (types > 0) {
    return error({.sqlstate = sqlstate::feature_not_supported,
                  .message = "the console takes no parameters",
                  .hint = "Put the value into the command's text."});
  }
  if (name->empty()) {
    statements_.erase("");
  } else if (statements_.contains(*name)) {
    return error({.sqlstate = sqlstate::duplicate_prepared_statement,
                  .message = "prepared statement " + in_quotes(shown(*name)) + " already exists"});
  }
  if (statements_.size() >= names_max) {
    return error({.sqlstate = sqlstate::program_limit_exceeded,
                  .message = "too many prepared statements",
                  .detail = "The console keeps " + std::to_string(names_max) + " of one client."});
  }
  auto commands = read_commands(*text);
  if (!commands) {
    const CommandError& wrong = commands.error();
    return error({.sqlstate = wrong.sqlstate, .message = wrong.message, .hint = wrong.hint});
  }
  if (commands->size() > 1) {
    return error({.sqlstate = sqlstate::syntax_error,
                  .message = "cannot insert multiple commands into a prepared statement"});
  }
  Statement statement;
  if (!commands->empty()) statement.command = std::move(commands->front());
  statements_.emplace(*name, std::move(statement));
  wire::append_parse_complete(output_);
}

void ConsoleState::bind(std::span<const std::byte> body) {
  wire::ByteReader reader{body};
  const auto portal_name = reader.read_cstring();
  const auto name = reader.read_cstring();
  (void)reader.read_bytes(std::size_t{reader.read_u16()} * 2);  // the parameters' formats
  const std::uint16_t parameters = reader.read_u16();
  if (!portal_name || !name || !reader.ok()) return protocol_error(std::string{malformed});
  if (parameters > 0) {
    return protocol_error("bind message supplies " + std::to_string(parameters) +
                          " parameters, but prepared statement " + in_quotes(shown(*name)) +
                          " requires 0");
  }
  const std::uint16_t count = reader.read_u16();
  std::vector<Format> formats;
  for (std::uint16_t i = 0; i < count && reader.ok(); ++i) {
    const std::uint16_t code = reader.read_u16();
    if (code > 1)
      return error({.sqlstate = sqlstate::invalid_parameter_value,
                    .message = "unsupported format code: " + std::to_string(code)});
    formats.push_back(static_cast<Format>(code));
  }
  if (!reader.at_end()) return protocol_error(std::string{malformed});
  const auto statement = statements_.find(*name);
  if (statement == statements_.end()) {
    return error({.sqlstate = sqlstate::invalid_sql_statement_name,
                  .message = "prepared statement " + in_quotes(shown(*name)) + " does not exist"});
  }
  const auto& command = statement->second.command;
  const std::size_t columns = command ? columns_of(*command).size() : 0;
  if (columns > 0 && count > 1 && count != columns) {
    return protocol_error("bind message has " + std::to_string(count) +
                          " result formats but query has " + std::to_string(columns) + " columns");
  }
  if (!portal_name->empty() && portals_.contains(*portal_name)) {
    return error({.sqlstate = duplicate_cursor,
                  .message = "cursor " + in_quotes(shown(*portal_name)) + " already exists"});
  }
  if (portals_.size() >= names_max && !portals_.contains(*portal_name)) {
    return error({.sqlstate = sqlstate::program_limit_exceeded,
                  .message = "too many portals",
                  .detail = "The console keeps " + std::to_string(names_max) + " of one client."});
  }
  portals_.insert_or_assign(std::string{*portal_name},
                            Portal{.command = command, .formats = std::move(formats)});
  wire::append_bind_complete(output_);
}

void ConsoleState::describe(std::span<const std::byte> body) {
  wire::ByteReader reader{body};
  const auto kind = static_cast<char>(reader.read_u8());
  const auto name = reader.read_cstring();
  if (!name || !reader.at_end() || (kind != 'S' && kind != 'P'))
    return protocol_error(std::string{malformed});
  if (kind == 'S') {
    const auto statement = statements_.find(*name);
    if (statement == statements_.end()) {
      return error(
          {.sqlstate = sqlstate::invalid_sql_statement_name,
           .message = "prepared statement " + in_quotes(shown(*name)) + " does not exist"});
    }
    wire::append_parameter_description(output_, {});
    return describe_command(statement->second.command, {});
  }
  const auto portal = portals_.find(*name);
  if (portal == portals_.end()) {
    return error({.sqlstate = sqlstate::invalid_cursor_name,
                  .message = "portal " + in_quotes(shown(*name)) + " does not exist"});
  }
  describe_command(portal->second.command, portal->second.formats);
}

void ConsoleState::describe_command(const std::optional<Command>& command, Formats formats) {
  const Columns columns = command ? columns_of(*command) : Columns{};
  if (columns.empty()) return wire::append_no_data(output_);
  append_columns(output_, columns, formats);
}

void ConsoleState::execute(std::span<const std::byte> body) {
  wire::ByteReader reader{body};
  const auto name = reader.read_cstring();
  const std::uint32_t rows_wanted = reader.read_u32();
  if (!name || !reader.at_end()) return protocol_error(std::string{malformed});
  const auto at = portals_.find(*name);
  if (at == portals_.end()) {
    return error({.sqlstate = sqlstate::invalid_cursor_name,
                  .message = "portal " + in_quotes(shown(*name)) + " does not exist"});
  }
  Portal& portal = at->second;
  if (!portal.command) return wire::append_empty_query(output_);
  // A negative number is all of them too.
  rows_wanted_ = rows_wanted > 0x7fffffffU ? 0 : rows_wanted;
  tag_ = portal.command->tag;
  if (portal.executed && portal.rows) return send_rows(portal);
  if (portal.executed) {
    return error({.sqlstate = sqlstate::object_not_in_prerequisite_state,
                  .message = "portal " + in_quotes(shown(*name)) + " cannot be run"});
  }
  portal_ = &portal;
  run(*portal.command, Source::extended);
}

void ConsoleState::send_rows(Portal& portal) {
  if (portal.rows) {
    const Rows& rows = *portal.rows;
    for (std::uint32_t count = 0; portal.next_row < rows.size(); ++count) {
      if (rows_wanted_ > 0 && count == rows_wanted_) {
        wire::MessageBuilder builder{std::move(output_)};
        builder.begin(wire::backend::PortalSuspended);
        POOLER_CHECK(builder.end());
        output_ = builder.take();
        return;
      }
      append_row(output_, rows.columns(), rows.row(portal.next_row++), portal.formats);
    }
  }
  wire::append_command_complete(output_, tag_);
}

void ConsoleState::close(std::span<const std::byte> body) {
  wire::ByteReader reader{body};
  const auto kind = static_cast<char>(reader.read_u8());
  const auto name = reader.read_cstring();
  if (!name || !reader.at_end() || (kind != 'S' && kind != 'P'))
    return protocol_error(std::string{malformed});
  // Closing what is not there is no error.
  if (kind == 'S') {
    if (const auto at = statements_.find(*name); at != statements_.end()) statements_.erase(at);
  } else if (const auto at = portals_.find(*name); at != portals_.end()) {
    portals_.erase(at);
  }
  wire::append_close_complete(output_);
}

}  // namespace pgring::console
