// The key table seen from outside: flat list, SHOW CONFIG, and what a reload cannot change.
#include <algorithm>

#include "src/config/config_keys.h"

namespace pgring {
namespace {

template <class S>
std::string text_of(const Key<S>& key, const S& section) {
  return std::visit([&](auto member) { return format_value(section.*member, key.rule); },
                    key.field);
}

template <class S>
void append_rows(const std::string& prefix, const S& section, std::vector<ConfigRow>& rows) {
  const S defaults{};
  for (const Key<S>& key : keys_of<S>()) {
    rows.push_back({prefix + "." + std::string(key.name), text_of(key, section),
                    text_of(key, defaults), key.reload == Reload::yes});
  }
  if constexpr (std::is_same_v<S, ServerConfig>) append_rows(prefix + ".tls", section.tls, rows);
}

template <class S>
void append_keys(std::string_view section, bool named, std::vector<ConfigKey>& keys) {
  const S defaults{};
  for (const Key<S>& key : keys_of<S>()) {
    keys.push_back({section, named, key.name, key.type, text_of(key, defaults), key.unset,
                    key.meaning, key.reload == Reload::yes, key.pgbouncer});
  }
}

template <class S>
void append_rows(const Section<S>& section, const Config& config, std::vector<ConfigRow>& rows) {
  append_rows(std::string(section.name), config.*section.member, rows);
}

template <class S>
void append_rows(const NamedSection<S>& section, const Config& config,
                 std::vector<ConfigRow>& rows) {
  for (const auto& [name, entry] : config.*section.member) {
    append_rows(std::string(section.name) + "." + quoted_key(name), entry, rows);
  }
}

template <class S>
constexpr bool is_named(const Section<S>&) {
  return false;
}
template <class S>
constexpr bool is_named(const NamedSection<S>&) {
  return true;
}

}  // namespace

const std::vector<ConfigKey>& config_keys() {
  static const std::vector<ConfigKey> all = [] {
    std::vector<ConfigKey> keys;
    for_each_section([&](const auto& section) {
      using S = typename std::remove_cvref_t<decltype(section)>::Struct;
      append_keys<S>(section.name, is_named(section), keys);
      if constexpr (std::is_same_v<S, ServerConfig>)
        append_keys<ServerTlsConfig>("server.NAME.tls", false, keys);
    });
    return keys;
  }();
  return all;
}

std::vector<ConfigRow> config_rows(const Config& config) {
  std::vector<ConfigRow> rows;
  for_each_section([&](const auto& section) { append_rows(section, config, rows); });
  std::sort(rows.begin(), rows.end(),
            [](const ConfigRow& a, const ConfigRow& b) { return a.key < b.key; });
  return rows;
}

std::vector<FixedChange> fixed_changes(const Config& running, const Config& wanted) {
  // Named sections are reloadable as a whole, so both lists hold the same fixed keys in one order.
  std::vector<FixedChange> changes;
  const auto is_changeable = [](const ConfigRow& row) { return row.changeable; };
  std::vector<ConfigRow> now = config_rows(running);
  std::vector<ConfigRow> then = config_rows(wanted);
  std::erase_if(now, is_changeable);
  std::erase_if(then, is_changeable);
  POOLER_CHECK(now.size() == then.size());
  for (std::size_t i = 0; i < now.size(); ++i) {
    POOLER_CHECK(now[i].key == then[i].key);
    if (now[i].value != then[i].value) {
      changes.push_back({now[i].key, now[i].value, then[i].value});
    }
  }
  return changes;
}

}  // namespace pgring
