#include "wire/sql_transaction_end.h"

#include <optional>
#include <utility>

#include "wire/sql_identifier.h"
#include "wire/sql_lexer.h"
#include "wire/sql_walker.h"

namespace wire {
namespace {

using Kind = SqlTransactionEnd::Kind;

// Walks over the first statement of a text.
class Parser : SqlWalker {
 public:
  explicit Parser(std::string_view sql) : SqlWalker(sql) {}

  SqlTransactionEnd parse();

 private:
  Kind parse_statement(SqlTransactionEnd& result);
  Kind parse_prepare();
  bool take_chain(bool& chain);
};

SqlTransactionEnd Parser::parse() {
  SqlTransactionEnd result;
  if (token.kind == SqlTokenKind::end) {
    if (lexer.unterminated()) result.kind = Kind::other;
    return result;
  }
  result.kind = parse_statement(result);
  if (!at_end()) result.kind = Kind::other;
  while (!at_end()) advance();
  while (token.kind == SqlTokenKind::semicolon) advance();
  result.alone = token.kind == SqlTokenKind::end;
  while (token.kind != SqlTokenKind::end) advance();
  if (lexer.unterminated()) result.kind = Kind::other;
  if (result.kind == Kind::other) result = {.kind = Kind::other, .alone = result.alone};
  return result;
}

Kind Parser::parse_statement(SqlTransactionEnd& result) {
  if (take("prepare")) return parse_prepare();
  const bool commits = take("commit") || take("end");
  const bool is_rollback = !commits && take("rollback");
  if (!commits && !is_rollback && !take("abort")) return Kind::other;
  if (!take("work")) (void)take("transaction");
  if (is_rollback && take("to")) {
    // ROLLBACK TO savepoint: one of that name.
    auto name = identifier_of(lexer, token);
    if (!name) return Kind::other;
    const bool unquoted = token.kind == SqlTokenKind::word;
    advance();
    if (unquoted && *name == "savepoint" && !at_end()) {
      name = identifier_of(lexer, token);
      if (!name) return Kind::other;
      advance();
    }
    result.savepoint = std::move(*name);
    return Kind::rollback_to;
  }
  if (!take_chain(result.chain)) return Kind::other;
  return commits ? Kind::commit : Kind::rollback;
}

Kind Parser::parse_prepare() {
  if (!take("transaction") || token.kind != SqlTokenKind::string) return Kind::other;
  // Of the kinds of strings, PostgreSQL takes those that are text.
  const std::string_view text = lexer.text(token);
  constexpr std::string_view bits = "bBxX";
  if (bits.find(text.front()) != std::string_view::npos) return Kind::other;
  advance();
  return Kind::prepare;
}

// AND CHAIN, AND NO CHAIN or nothing. False: something else.
bool Parser::take_chain(bool& chain) {
  if (!take("and")) return true;
  chain = !take("no");
  return take("chain");
}

}  // namespace

SqlTransactionEnd read_transaction_end(std::string_view sql) { return Parser(sql).parse(); }

}  // namespace wire
