// Answers to facts_query() as a server would give them, for tests of src/budget.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/budget/facts.h"
#include "wire/message_builder.h"

namespace budget_test {

using Value = std::optional<std::string_view>;
using Rows = std::vector<std::vector<Value>>;

// The body of a DataRow.
inline std::string row_body(const std::vector<Value>& values) {
  std::string message;
  wire::append_data_row(message, values);
  return message.substr(5);
}

inline void feed(pgring::FactsReader& reader, const std::vector<Value>& values) {
  const std::string body = row_body(values);
  reader.row(std::as_bytes(std::span{body}));
}

struct Answer {
  Rows instance{{"7710613999419459334", "1795267222920715", "4711", "100", "3", {}, "150004"}};
  Rows roles;      // at, oid, rolconnlimit, rolsuper
  Rows databases;  // at, oid, datconnlimit
  Rows backends;   // pid, datid, datname, usesysid, usename, backend_type

  [[nodiscard]] pgring::Result<pgring::Facts, std::string> read(pgring::FactsNames names) const {
    pgring::FactsReader reader{std::make_shared<const pgring::FactsNames>(std::move(names))};
    reader.command_complete();
    reader.command_complete();
    for (const Rows* const rows : {&instance, &roles, &databases, &backends}) {
      for (const auto& row : *rows) feed(reader, row);
      reader.command_complete();
    }
    return reader.finish();
  }
};

}  // namespace budget_test
