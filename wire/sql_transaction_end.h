// sql_transaction_end.h: which statements PostgreSQL runs in a transaction block that has failed.
//
// What:   read_transaction_end says what the first statement of a text is, of those that end such a block or go back to
//         a savepoint (IsTransactionExitStmt). It knows their grammar whole: what only begins like one of them is
//         `other`, and so is every text of which something is not closed.
// Source: PostgreSQL docs sql-commit, sql-rollback, sql-rollback-to, sql-prepare-transaction; src/backend/parser/gram.y
//         (TransactionStmt), src/backend/tcop/postgres.c (IsTransactionExitStmt).
#ifndef WIRE_SQL_TRANSACTION_END_H_
#define WIRE_SQL_TRANSACTION_END_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace wire {

struct SqlTransactionEnd {
  enum class Kind : std::uint8_t {
    empty,        // there is no statement in the text
    other,        // any other statement
    commit,       // COMMIT, END
    rollback,     // ROLLBACK, ABORT
    rollback_to,  // a savepoint
    prepare,      // PREPARE TRANSACTION
  };
  Kind kind = Kind::empty;
  bool chain = false;     // AND CHAIN
  bool alone = true;      // there is no other statement behind it
  std::string savepoint;  // rollback_to: its name, as PostgreSQL has it

  // Whether it is one that PostgreSQL runs in a block that has failed.
  [[nodiscard]] bool is_exit() const { return kind != Kind::empty && kind != Kind::other; }
};

[[nodiscard]] SqlTransactionEnd read_transaction_end(std::string_view sql);

}  // namespace wire

#endif  // WIRE_SQL_TRANSACTION_END_H_
