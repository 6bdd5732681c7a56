#include "wire/sql_prepare.h"

#include <utility>

#include "wire/sql_identifier.h"
#include "wire/sql_lexer.h"
#include "wire/sql_word.h"

namespace wire {
namespace {

// Walks over the one statement of a text; what fails stays failed.
class Parser {
 public:
  explicit Parser(std::string_view sql) : lexer_(sql) {
    do advance();
    while (token_.kind == SqlTokenKind::semicolon);
  }

  std::optional<SqlPrepare> parse();

 private:
  void advance() {
    previous_end_ = token_.offset + token_.length;
    token_ = lexer_.next();
  }
  [[nodiscard]] SqlWord word() const {
    return token_.kind == SqlTokenKind::word ? find_sql_word(lexer_.text(token_)) : SqlWord::none;
  }
  [[nodiscard]] bool at_end() const {
    return token_.kind == SqlTokenKind::end || token_.kind == SqlTokenKind::semicolon;
  }
  bool parse_statement(SqlPrepare& result);
  bool parse_deallocate(SqlPrepare& result);
  bool take_name(SqlPrepare& result);
  bool take_parentheses(std::string_view& inside);
  bool take_body(std::string_view& body);

  SqlLexer lexer_;
  SqlToken token_;
  std::size_t previous_end_ = 0;
};

std::optional<SqlPrepare> Parser::parse() {
  SqlPrepare result;
  if (!parse_statement(result)) return std::nullopt;
  while (token_.kind == SqlTokenKind::semicolon) advance();
  if (token_.kind != SqlTokenKind::end || lexer_.unterminated()) return std::nullopt;
  return result;
}

bool Parser::parse_statement(SqlPrepare& result) {
  const SqlWord first = word();
  advance();
  if (first == SqlWord::deallocate) return parse_deallocate(result);
  if (first != SqlWord::prepare && first != SqlWord::execute) return false;
  result.kind = first == SqlWord::prepare ? SqlPrepare::Kind::prepare : SqlPrepare::Kind::execute;
  if (!take_name(result)) return false;
  const std::size_t parenthesis = token_.offset;
  const bool has_list = token_.kind == SqlTokenKind::left_parenthesis;
  std::string_view inside;
  if (has_list && !take_parentheses(inside)) return false;
  if (first == SqlWord::execute) {
    if (has_list) result.body = lexer_.text().substr(parenthesis, previous_end_ - parenthesis);
    return true;
  }
  result.types = inside;
  if (word() != SqlWord::as) return false;
  advance();
  return take_body(result.body);
}

bool Parser::parse_deallocate(SqlPrepare& result) {
  result.kind = SqlPrepare::Kind::deallocate;
  if (word() == SqlWord::prepare) {
    const SqlToken prepare = token_;
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
  auto name = identifier_of(lexer_, token_);
  if (!name) return false;
  result.name = std::move(*name);
  result.name_offset = static_cast<std::uint32_t>(token_.offset);
  result.name_length = static_cast<std::uint32_t>(token_.length);
  advance();
  return true;
}

// From an opening parenthesis to behind its closing one.
bool Parser::take_parentheses(std::string_view& inside) {
  const std::size_t begin = token_.offset + 1;
  std::size_t depth = 0;
  for (; !at_end(); advance()) {
    if (token_.kind == SqlTokenKind::left_parenthesis) ++depth;
    if (token_.kind != SqlTokenKind::right_parenthesis || --depth != 0) continue;
    inside = lexer_.text().substr(begin, token_.offset - begin);
    advance();
    return true;
  }
  return false;
}

bool Parser::take_body(std::string_view& body) {
  const std::size_t begin = token_.offset;
  if (at_end()) return false;
  while (!at_end()) advance();
  body = lexer_.text().substr(begin, previous_end_ - begin);
  return true;
}

}  // namespace

std::optional<SqlPrepare> parse_prepare(std::string_view sql) { return Parser(sql).parse(); }

}  // namespace wire
