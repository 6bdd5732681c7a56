// Session parameters: what a client set, what a server connection has set, and how to make them agree.
//
// What:   a session's parameters are the server's defaults (reported at login, ParameterStatus) and
//         overrides (SET, startup packet). Equal override sets of one shard are one object, so that a
//         client and a server connection are compared by pointer when they are linked.
// Owner:  one ParameterTable per shard; sets live while somebody holds a reference.
// Source: protocol-flow, "Asynchronous Operations" (ParameterStatus); runtime-config.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ring/clock.h"

namespace pgring {

struct Parameter {
  std::string name;  // spelled as first seen; compared without regard to case, as PostgreSQL does
  std::string value;
};

[[nodiscard]] bool same_parameter_name(std::string_view a, std::string_view b);

// Sorted by name without regard to case, one entry a name.
using ParameterList = std::vector<Parameter>;
[[nodiscard]] const Parameter* find_parameter(const ParameterList& list, std::string_view name);
void put_parameter(ParameterList& list, std::string_view name, std::string_view value);
void erase_parameter(ParameterList& list, std::string_view name);

class ParameterTable;

// A reference to one of the table's sets; nothing stands for the empty set.
class Overrides {
 public:
  Overrides() = default;
  Overrides(const Overrides& other);
  Overrides(Overrides&& other) noexcept : node_{std::exchange(other.node_, nullptr)} {}
  Overrides& operator=(Overrides other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~Overrides();

  [[nodiscard]] const ParameterList& list() const;
  [[nodiscard]] bool empty() const { return node_ == nullptr; }
  // planning_settings() of them, made once.
  [[nodiscard]] const std::string& planning() const;
  // Equal, but for application_name. One shard's sets only.
  [[nodiscard]] bool differ_in_name_only(const Overrides& other) const;
  // One shard's sets only: equal content is the same object.
  friend bool operator==(const Overrides& a, const Overrides& b) { return a.node_ == b.node_; }

 private:
  friend class ParameterTable;
  struct Node;
  explicit Overrides(Node* node) : node_{node} {}
  Node* node_ = nullptr;
};

class ParameterTable {
 public:
  ParameterTable();
  ~ParameterTable();
  ParameterTable(const ParameterTable&) = delete;
  ParameterTable& operator=(const ParameterTable&) = delete;

  [[nodiscard]] Overrides intern(ParameterList list);
  [[nodiscard]] Overrides with(const Overrides& base, std::string_view name,
                               std::string_view value);
  [[nodiscard]] std::size_t size() const;

 private:
  friend class Overrides;
  struct Less;
  void drop(Overrides::Node* node);
  std::vector<Overrides::Node*> nodes_;  // sorted by content
};

// Defaults as one login of a server reported them; shared by the connections that reported the same.
using Defaults = std::shared_ptr<const ParameterList>;

// Parameters only the server decides: reported, never set by a session.
[[nodiscard]] bool is_server_decided(std::string_view name);

// SQL that takes a session from `from` to `to`; empty when they are equal. One simple Query: it applies
// whole or not at all. `base` is what connect_query has set: what goes back to its default goes back to that.
[[nodiscard]] std::string replay_sql(const Overrides& from, const Overrides& to,
                                     const ParameterList& base = {});

inline constexpr std::string_view idle_session_timeout_name = "idle_session_timeout";

// A setting that is a time, as PostgreSQL reads it: a number, without a unit of milliseconds. Nullopt: it is none.
// Source: src/backend/utils/misc/guc.c (parse_int, time_unit_conversion_table).
[[nodiscard]] std::optional<ring::Duration> setting_duration(std::string_view text);

// Those of a session's settings that may change what a text means to PostgreSQL, in one string: statements are shared
// by clients for which they agree.
[[nodiscard]] std::string planning_settings(const ParameterList& overrides);

}  // namespace pgring
