// The rows of a SHOW by the names of their columns, for tests.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "src/console/show.h"

namespace pgring::console {

using Row = std::map<std::string, Rows::Cell>;

inline std::vector<Row> rows_of(const Rows& rows) {
  std::vector<Row> all;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Row row;
    for (std::size_t column = 0; column < rows.columns().size(); ++column)
      row[std::string{rows.columns()[column].name}] = rows.row(i)[column];
    all.push_back(std::move(row));
  }
  return all;
}

// "a b c "
inline std::string column_names(Topic topic) {
  std::string all;
  for (const auto& column : columns_of({.verb = Verb::show, .topic = topic}))
    all += std::string{column.name} + " ";
  return all;
}

}  // namespace pgring::console
