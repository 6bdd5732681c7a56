#include "wire/sql_prepare.h"

#include <utility>

#include "wire/sql_identifier.h"
#include "wire/sql_lexer.h"
#include "wire/sql_walker.h"
#include "wire/sql_word.h"

namespace wire {
namespace {

// Walks over the one statement of a text; what fails stays failed.
class Parser : SqlWalker {
 public:
  explicit Parser(std::string_view sql) : SqlWalker(sql) {}

  std::optional<SqlPrepare> parse();

 private:
  [[nodiscard]] SqlWord word() const {
    return token.kind == SqlTokenKind::word ? find_sql_word(lexer.text(token)) : SqlWord::none;
  }
  bool parse_statement(SqlPrepare& result);
  void skip_explain();
  bool find_execute();
  bool parse_deallocate(SqlPrepare& result);
  bool take_name(SqlPrepare& result);
  bool take_parentheses(std::string_view& inside);
  bool take_body(std::string_view& body);
};

std::optional<SqlPrepare> Parser::parse() {
  SqlPrepare result;
  if (!parse_statement(result)) return std::nullopt;
  if (!ends_whole()) return std::nullopt;
  return result;
}

bool Parser::parse_statement(SqlPrepare& result) {
  const bool explained = word() == SqlWord::explain;
  if (explained) skip_explain();
  const bool creates = word() == SqlWord::create;
  if (creates && !find_execute()) return false;
  const SqlWord first = word();
  advance();
  if (first == SqlWord::deallocate && !explained) return parse_deallocate(result);
  if (first != SqlWord::execute && (first != SqlWord::prepare || explained)) return false;
  result.kind = first == SqlWord::prepare ? SqlPrepare::Kind::prepare : SqlPrepare::Kind::execute;
  if (!take_name(result)) return false;
  const std::size_t parenthesis = token.offset;
  const bool has_list = token.kind == SqlTokenKind::left_parenthesis;
  std::string_view inside;
  if (has_list && !take_parentheses(inside)) return false;
  if (first == SqlWord::execute) {
    if (has_list) result.body = lexer.text().substr(parenthesis, previous_end - parenthesis);
    if (creates && take("with")) {
      (void)take("no");
      return take("data");
    }
    return true;
  }
  result.types = inside;
  if (word() != SqlWord::as) return false;
  advance();
  return take_body(result.body);
}

void Parser::skip_explain() {
  advance();
  std::string_view options;
  if (token.kind == SqlTokenKind::left_parenthesis) {
    (void)take_parentheses(options);
    return;
  }
  if (word() == SqlWord::analyze || word() == SqlWord::analyse) advance();
  if (word() == SqlWord::verbose) advance();
}

// CREATE TABLE … AS EXECUTE: to that EXECUTE. There is no other place for AS EXECUTE in a statement that begins so.
bool Parser::find_execute() {
  advance();
  while (take("local") || take("global") || take("temp") || take("temporary") || take("unlogged")) {
  }
  if (!take("table")) return false;
  for (std::size_t depth = 0; !at_end();) {
    if (token.kind == SqlTokenKind::left_parenthesis) ++depth;
    if (token.kind == SqlTokenKind::right_parenthesis && depth > 0) --depth;
    const bool as = depth == 0 && word() == SqlWord::as;
    advance();
    if (as && word() == SqlWord::execute) return true;
  }
  return false;
}

bool Parser::parse_deallocate(SqlPrepare& result) {
  result.kind = SqlPrepare::Kind::deallocate;
  if (word() == SqlWord::prepare) {
    const SqlToken prepare = token;
    advance();
    if (at_end()) {
      // DEALLOCATE prepare: a statement of that name.
      result.name = "prepare";
      result.name_offset = static_cast<std::uint32_t>(prepare.offset);
      result.name_length = static_cast<std::uint32_t>(prepare.length);
      return true;
    }
  }
  if (word() == SqlWord::all) {
    result.kind = SqlPrepare::Kind::deallocate_all;
    advance();
    return true;
  }
  return take_name(result);
}

bool Parser::take_name(SqlPrepare& result) {
  auto name = identifier_of(lexer, token);
  if (!name) return false;
  result.name = std::move(*name);
  result.name_offset = static_cast<std::uint32_t>(token.offset);
  result.name_length = static_cast<std::uint32_t>(token.length);
  advance();
  return true;
}

// From an opening parenthesis to behind its closing one.
bool Parser::take_parentheses(std::string_view& inside) {
  const std::size_t begin = token.offset + 1;
  std::size_t depth = 0;
  for (; !at_end(); advance()) {
    if (token.kind == SqlTokenKind::left_parenthesis) ++depth;
    if (token.kind != SqlTokenKind::right_parenthesis || --depth != 0) continue;
    inside = lexer.text().substr(begin, token.offset - begin);
    advance();
    return true;
  }
  return false;
}

bool Parser::take_body(std::string_view& body) {
  const std::size_t begin = token.offset;
  if (at_end()) return false;
  while (!at_end()) advance();
  body = lexer.text().substr(begin, previous_end - begin);
  return true;
}

}  // namespace

std::optional<SqlPrepare> parse_prepare(std::string_view sql) { return Parser(sql).parse(); }

}  // namespace wire
