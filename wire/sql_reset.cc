#include "wire/sql_reset.h"

#include <utility>

#include "wire/sql_identifier.h"
#include "wire/sql_lexer.h"
#include "wire/sql_walker.h"

namespace wire {
namespace {

using Kind = SqlReset::Kind;

// Walks over the one statement of a text; what fails stays failed.
class Parser : SqlWalker {
 public:
  explicit Parser(std::string_view sql) : SqlWalker(sql) {}

  std::optional<SqlReset> parse();

 private:
  bool parse_statement(SqlReset& result);
  bool parse_reset(SqlReset& result);
  bool parse_set(SqlReset& result);
  bool take_name(std::string& name);
};

std::optional<SqlReset> Parser::parse() {
  SqlReset result;
  if (!parse_statement(result)) return std::nullopt;
  if (!ends_whole()) return std::nullopt;
  return result;
}

bool Parser::parse_statement(SqlReset& result) {
  if (take("reset")) return parse_reset(result);
  if (take("set")) return parse_set(result);
  if (!take("discard") || !take("all")) return false;
  result.kind = Kind::discard_all;
  result.tag = "DISCARD ALL";
  return true;
}

bool Parser::parse_reset(SqlReset& result) {
  if (take("all")) {
    result.kind = Kind::all;
    return true;
  }
  if (take("time")) {
    result.name = "TimeZone";
    return take("zone");
  }
  if (take("session")) {
    result.name = "session_authorization";
    return take("authorization");
  }
  return take_name(result.name);
}

bool Parser::parse_set(SqlReset& result) {
  result.tag = "SET";
  const bool session = take("session");
  if (take("authorization")) {
    result.name = "session_authorization";
    return session && take("default");
  }
  if (take("session")) {
    result.name = "session_authorization";
    return take("authorization") && take("default");
  }
  if (take("role")) {
    result.name = "role";
    return take("none");
  }
  if (take("time")) {
    result.name = "TimeZone";
    return take("zone") && (take("default") || take("local"));
  }
  return take_name(result.name) && (take("to") || take_operation("=")) && take("default");
}

// With its dots, if it has any.
bool Parser::take_name(std::string& name) {
  do {
    auto part = identifier_of(lexer, token);
    if (!part) return false;
    if (!name.empty()) name += '.';
    name += *part;
    advance();
  } while (take_operation("."));
  // RESET TRANSACTION ISOLATION LEVEL and the like: not a setting of a session's.
  return name != "transaction" && name != "local";
}

}  // namespace

std::optional<SqlReset> read_reset(std::string_view sql) { return Parser(sql).parse(); }

}  // namespace wire
