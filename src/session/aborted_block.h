// A transaction block that failed before any server connection knew of it: what PostgreSQL would answer in it.
//
// What:   the answers in a failed block are few and need no server: an error to everything but what ends the block or
//         names a savepoint, of which there is none. Messages of the extended protocol differ in when they say so. What
//         only a parser can tell is not told: a text that is no SQL gets 25P02 too, not 42601.
//         No I/O; what is prepared belongs to the client (ClientStatements).
// Owner:  a Client, from the failure to the block's end.
// Source: src/backend/tcop/postgres.c (exec_simple_query, exec_parse_message and the like),
//         src/backend/access/transam/xact.c.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/statement/statement.h"
#include "wire/sql_transaction_end.h"

namespace pgring {

class AbortedBlock {
 public:
  enum class Outcome : std::uint8_t {
    answered,
    error,    // of the extended protocol: what is behind it is skipped up to its Sync
    ended,    // the transaction is over
    chained,  // likewise, and another has begun (AND CHAIN)
    unknown,  // PostgreSQL itself has to be asked; nothing was answered
  };

  // A prepared statement as far as it matters here.
  struct Known {
    std::string_view text;
    std::vector<std::uint32_t> types;         // as declared
    const StatementVersion* found = nullptr;  // as PostgreSQL described it; null: not known
  };

  // They append the answer, of a Query without its ReadyForQuery. Bodies are whole.
  Outcome query(std::string_view text, std::string& out);
  // answered: the caller keeps the statement. `name_taken`: there is one of that name.
  Outcome parse(std::string_view name, std::string_view text, bool name_taken, std::string& out);
  // `known` is nothing if there is no statement of that name.
  Outcome bind(std::span<const std::byte> body, const std::optional<Known>& known,
               std::string& out);
  Outcome describe_statement(std::string_view name, const std::optional<Known>& known,
                             std::string& out);
  Outcome describe_portal(std::string_view name, std::string& out);
  Outcome execute(std::span<const std::byte> body, std::string& out);
  Outcome close_portal(std::string_view name, std::string& out);
  // Any other message, by the function of PostgreSQL that would read it.
  static Outcome refuse(std::string_view routine, std::string& out);

 private:
  struct Portal {
    std::string name;
    wire::SqlTransactionEnd statement;
  };
  [[nodiscard]] std::vector<Portal>::iterator find(std::string_view name);
  Outcome run(const wire::SqlTransactionEnd& statement, std::string& out);

  std::vector<Portal> portals_;  // bound since it failed; few
};

}  // namespace pgring
