// sql_walker.h: reads one statement token by token; what the readers of single kinds of statement have in common.
//
// What:   begins behind leading semicolons. token is the next token; take() and take_operation() go on if it is the one
//         asked for. Whoever derives from it decides what the text as a whole has to be.
// Life:   the text outlives it.
#ifndef WIRE_SQL_WALKER_H_
#define WIRE_SQL_WALKER_H_

#include <cstddef>
#include <string_view>

#include "wire/sql_identifier.h"
#include "wire/sql_lexer.h"

namespace wire {

class SqlWalker {
 protected:
  explicit SqlWalker(std::string_view sql) : lexer(sql) {
    do advance();
    while (token.kind == SqlTokenKind::semicolon);
  }
  ~SqlWalker() = default;

  void advance() {
    previous_end = token.offset + token.length;
    token = lexer.next();
  }
  [[nodiscard]] bool at_end() const {
    return token.kind == SqlTokenKind::end || token.kind == SqlTokenKind::semicolon;
  }
  // `keyword` is in small letters.
  bool take(std::string_view keyword) {
    if (token.kind != SqlTokenKind::word || identifier_of(lexer, token) != keyword) return false;
    advance();
    return true;
  }
  bool take_operation(std::string_view operation) {
    if (token.kind != SqlTokenKind::operation || lexer.text(token) != operation) return false;
    advance();
    return true;
  }
  // Nothing but semicolons is left, and the text is whole.
  [[nodiscard]] bool ends_whole() {
    while (token.kind == SqlTokenKind::semicolon) advance();
    return token.kind == SqlTokenKind::end && !lexer.unterminated();
  }

  SqlLexer lexer;
  SqlToken token;
  std::size_t previous_end = 0;  // of the token before token
};

}  // namespace wire

#endif  // WIRE_SQL_WALKER_H_
