// A prepared statement as pgring knows it: one text, whoever prepared it, under one name on every server connection.
//
// What:   a Statement is a text with the parameter types its clients declared and the settings that change how
//         PostgreSQL understands it. It has a name that is unique in the process, under which copies of it are
//         prepared on server connections. What rows a copy returns is its *version*: tables change, and a
//         client goes on with the version of its own Parse or is told that it cannot (0A000).
// Owner:  shared: by the clients that prepared it and the server connections that have a copy; when nobody does it
//         goes. The table of a pool's home knows them all and owns none.
// Thread: a Statement does not change but for its epoch, and may be read by any.
// Source: protocol-flow, "Extended Query"; plancache.c (RevalidateCachedQuery).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "wire/sql_traits.h"

namespace pgring {

// Statements on server connections are called so and by a number. A client's own names that begin so are not passed on.
inline constexpr std::string_view own_statement_prefix = "pgring_";
// Numbers begin at one: nobody's, for a statement that is there from one message to the next at most.
inline constexpr std::string_view no_statement = "pgring_0";

// plancache.c (choose_custom_plan): from the sixth time on a plan may be one for any values of its parameters. Unnamed
// statements do not live that long.
inline constexpr std::uint32_t unnamed_binds_max = 5;

// What PostgreSQL says of a copy: the types of its parameters, and the columns it returns as far as
// PostgreSQL compares them (not from which table they come). No columns: it returns no rows.
struct StatementVersion {
  std::vector<std::uint32_t> types;
  std::string columns;

  // Whether a Bind of the one is a Bind of the other: binary values of parameters are read by type, too.
  [[nodiscard]] bool binds_alike(const StatementVersion& other) const {
    return types == other.types && columns == other.columns;
  }
};
using Version = std::shared_ptr<const StatementVersion>;  // none: not known yet

// From the bodies of ParameterDescription and RowDescription. Nothing: they are not well formed.
[[nodiscard]] std::optional<std::vector<std::uint32_t>> parse_parameter_description(
    std::span<const std::byte> body);
[[nodiscard]] std::optional<std::string> comparable_columns(
    std::span<const std::byte> row_description);

struct StatementKey {
  std::string text;
  std::vector<std::uint32_t> types;  // as declared; 0: PostgreSQL is to find out
  std::string settings;              // see planning_settings()
  // In place of unnamed statements, which PostgreSQL plans anew each time: its copies are not bound as often as
  // those of the same text that clients have named, see unnamed_binds_max.
  bool unnamed = false;

  friend auto operator<=>(const StatementKey&, const StatementKey&) = default;
};

class StatementTable;

class Statement {
 public:
  Statement(StatementTable& table, std::uint64_t id, StatementKey key);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const StatementKey& key() const { return key_; }
  [[nodiscard]] const wire::SqlTraits& traits() const { return traits_; }
  [[nodiscard]] std::uint64_t fingerprint() const { return fingerprint_; }  // wire::sql_fingerprint
  // Whether one copy does for any number of clients' own Parses: a query that leaves nothing behind.
  [[nodiscard]] bool may_stand_in() const {
    return has_fixed_rows_ && traits_.bits == 0 && !traits_.defines;
  }
  // Whether PostgreSQL holds it to the rows it returned at first: not what it calls a utility statement.
  [[nodiscard]] bool has_fixed_rows() const { return has_fixed_rows_; }
  // Whether who goes by the one version may bind a copy of the other: where there are rows they are the same.
  [[nodiscard]] bool is_same(const Version& one, const Version& other) const {
    return one == other || (one != nullptr && other != nullptr && one->types == other->types &&
                            (!has_fixed_rows_ || one->binds_alike(*other)));
  }
  // wire::sql_sharing, by whatever terms.
  [[nodiscard]] bool shares() const { return shares_; }
  // Copies of an earlier epoch are stale: a table has changed since.
  [[nodiscard]] std::uint32_t epoch() const { return epoch_.load(std::memory_order_relaxed); }
  void make_stale() { epoch_.fetch_add(1, std::memory_order_relaxed); }

 private:
  StatementTable& table_;
  std::uint64_t id_;
  std::string name_;
  StatementKey key_;
  wire::SqlTraits traits_;
  std::uint64_t fingerprint_;
  bool shares_;
  bool has_fixed_rows_;
  std::atomic<std::uint32_t> epoch_{0};
};
using StatementRef = std::shared_ptr<Statement>;

// All statements of a pool. Thread: any. Life: longer than its statements.
class StatementTable {
 public:
  StatementTable() = default;
  ~StatementTable();
  StatementTable(const StatementTable&) = delete;
  StatementTable& operator=(const StatementTable&) = delete;

  [[nodiscard]] StatementRef intern(StatementKey key);

  struct Row {
    std::uint64_t id;
    std::string name;
    std::string text;     // its beginning
    std::uint64_t size;   // of the whole text, in bytes
    std::uint64_t users;  // clients' names and copies
  };
  // For SHOW STATEMENTS; of each text at most so many bytes, no character cut.
  [[nodiscard]] std::vector<Row> rows(std::size_t text_max) const;
  [[nodiscard]] std::size_t size() const;
  // Of the texts, in bytes.
  [[nodiscard]] std::size_t bytes() const;

 private:
  friend class Statement;
  void forget(const Statement& statement);

  mutable std::mutex mutex_;
  // The key lies in the statement; it is in here for as long as it lives.
  struct Less {
    using is_transparent = void;
    bool operator()(const StatementKey* a, const StatementKey* b) const { return *a < *b; }
  };
  struct Entry {
    std::weak_ptr<Statement> statement;
    const Statement* which = nullptr;
  };
  std::map<const StatementKey*, Entry, Less> statements_;
  std::size_t bytes_ = 0;
};

}  // namespace pgring
