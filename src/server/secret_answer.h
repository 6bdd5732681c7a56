// What PostgreSQL answers to auth.query: the messages of one look-up, read into a FoundSecret.
//
// What:   two columns, the role and its secret, and one row: the role's own. Anything else says that there is no such
//         role, for the log with the reason. A query that is none is an error for every role.
// Owner:  a SecretLookup. Life: of one attempt; restart() for another.
// Source: PgBouncer's auth_query has the same columns; protocol-message-formats, RowDescription and DataRow.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "src/auth/found_secret.h"
#include "src/base/result.h"

namespace pgring {

class SecretAnswer {
 public:
  explicit SecretAnswer(std::string role) : role_{std::move(role)} {}

  void restart();
  void row_description(std::span<const std::byte> body);
  void data_row(std::span<const std::byte> body);

  // All of it is here. The error is the query's, whatever the role, and says what to do.
  [[nodiscard]] Result<FoundSecret, std::string> finish();

  [[nodiscard]] const std::string& role() const { return role_; }

 private:
  std::string role_;
  std::optional<std::uint16_t> columns_;
  std::uint64_t rows_ = 0;
  FoundSecret found_;
};

}  // namespace pgring
