// What a PostgreSQL instance says about its connections: the limits in force and who is connected.
//
// What:   facts_query() is the question, one simple Query that any role may ask of PostgreSQL 10 to 18;
//         FactsReader makes Facts of its answer. No I/O, no clock.
// Trust:  the question is asked on a connection whose settings, search_path among them, a client may have
//         changed: every name in it is qualified, operators too, and no setting changes its meaning. The
//         answer is a peer's: each length and number is checked.
// Names:  of roles and databases we use, in the bytes they are known by here. Others' come as the server
//         spells them, where that is printable ASCII; anything else could fail to be converted to the
//         connection's client_encoding, and the whole answer with it.
// Units:  microseconds since 1970, counts.
// Source: monitoring-stats, "pg_stat_activity"; catalogs: pg_database, pg_authid; functions-info.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"

namespace pgring {

// The roles and databases whose limits are asked for.
struct FactsNames {
  std::vector<std::string> roles;
  std::vector<std::string> databases;
};

// One backend of pg_stat_activity.
struct Backend {
  std::uint32_t pid = 0;
  std::string database;  // empty: none, or one not known here (see Names)
  std::string role;      // likewise
  bool client = false;   // takes one of max_connections
  // What it is was hidden from the role that asked: a parallel worker, which takes none, looks the same.
  bool estimated = false;
};

struct RoleFacts {
  std::string name;
  std::optional<std::uint32_t> connection_limit;  // nullopt: none
  bool superuser = false;                         // exempt from it and from its database's
};

struct DatabaseFacts {
  std::string name;
  std::optional<std::uint32_t> connection_limit;  // nullopt: none
};

struct Facts {
  // Together they name the instance. The first is 0 where the role may not read it.
  std::uint64_t system_identifier = 0;
  std::int64_t started_us = 0;       // pg_postmaster_start_time
  std::uint32_t own_pid = 0;         // of the connection that asked
  std::uint32_t server_version = 0;  // server_version_num: 150004
  std::uint32_t max_connections = 0;
  std::uint32_t superuser_reserved = 0;
  std::uint32_t reserved = 0;            // reserved_connections; 0 before PostgreSQL 16
  std::vector<RoleFacts> roles;          // those asked for that there are
  std::vector<DatabaseFacts> databases;  // likewise
  std::vector<Backend> backends;
  bool hidden = false;  // some clients are estimated
};

[[nodiscard]] std::string facts_query(const FactsNames& names);

// Fed with the messages of the answer, in their order, up to its ReadyForQuery.
class FactsReader {
 public:
  // More than the largest instance has; a peer that sends more is not believed.
  static constexpr std::size_t bytes_max = std::size_t{4} * 1024 * 1024;
  static constexpr std::size_t rows_max = 20'000;

  // `names`: those the question was made of.
  explicit FactsReader(std::shared_ptr<const FactsNames> names);

  void row(std::span<const std::byte> data_row_body);
  void command_complete() { ++statement_; }
  // Once, at the end. The error says what was wrong with the answer.
  [[nodiscard]] Result<Facts, std::string> finish();

 private:
  static constexpr std::size_t columns_max = 7;
  using Values = std::span<const std::optional<std::string_view>>;

  void fail(std::string_view what);
  void instance_row(Values values);
  void role_row(Values values);
  void database_row(Values values);
  void backend_row(Values values);

  std::shared_ptr<const FactsNames> names_;
  Facts facts_;
  std::map<std::uint32_t, const std::string*> role_names_;      // by oid
  std::map<std::uint32_t, const std::string*> database_names_;  // by oid
  std::size_t statement_ = 0;  // how many of the query's have been answered
  std::size_t bytes_ = 0;
  std::size_t rows_ = 0;
  bool instance_seen_ = false;
  std::string error_;
};

}  // namespace pgring
