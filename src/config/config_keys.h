// Every key of pgring.toml, in one table.
//
// What:   for each key: section, name, member, range, meaning, reloadable, PgBouncer's setting. The
//         loader reads by it, unknown keys are told by it, SHOW CONFIG and docs/config.md are made
//         from it. The default is the member's own initializer in config.h.
// Life:   constant.
// Errors: none.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include "src/config/config.h"
#include "src/config/value_read.h"

namespace pgring {

template <class S>
using Field =
    std::variant<bool S::*, std::uint32_t S::*, std::optional<std::uint32_t> S::*, Duration S::*,
                 ByteSize S::*, FileMode S::*, std::string S::*, Secret S::*,
                 std::vector<std::string> S::*, PoolMode S::*, std::optional<PoolMode> S::*,
                 OnSessionState S::*, std::optional<OnSessionState> S::*, Share S::*,
                 std::optional<Share> S::*, AuthMethod S::*, LogLevel S::*, LogFormat S::*,
                 std::vector<RingFeature> S::*, TlsMode S::*, TlsVersion S::*, TlsNegotiation S::*>;

enum class Reload : std::uint8_t { no, yes };

template <class S>
struct Key {
  std::string_view name;
  Field<S> field;
  Reload reload = Reload::yes;
  ValueRule rule = {};
  std::string_view type;        // for docs/config.md
  std::string_view meaning;     // one sentence
  std::string_view pgbouncer;   // its name and default there, and why ours differs; "": none
  std::string_view unset = {};  // what an empty default stands for: "the database's"
};

template <class S>
[[nodiscard]] std::span<const Key<S>> keys_of();
template <>
std::span<const Key<ListenConfig>> keys_of<ListenConfig>();
template <>
std::span<const Key<ShardsConfig>> keys_of<ShardsConfig>();
template <>
std::span<const Key<RingConfig>> keys_of<RingConfig>();
template <>
std::span<const Key<ServerConfig>> keys_of<ServerConfig>();
template <>
std::span<const Key<ServerTlsConfig>> keys_of<ServerTlsConfig>();
template <>
std::span<const Key<DatabaseConfig>> keys_of<DatabaseConfig>();
template <>
std::span<const Key<RoleConfig>> keys_of<RoleConfig>();
template <>
std::span<const Key<AuthConfig>> keys_of<AuthConfig>();
template <>
std::span<const Key<TlsConfig>> keys_of<TlsConfig>();
template <>
std::span<const Key<TimeoutsConfig>> keys_of<TimeoutsConfig>();
template <>
std::span<const Key<ConsoleConfig>> keys_of<ConsoleConfig>();
template <>
std::span<const Key<LogConfig>> keys_of<LogConfig>();

// [listen] is one table, [server.NAME] a table of named ones.
template <class S>
struct Section {
  using Struct = S;
  std::string_view name;
  S Config::* member;
};
template <class S>
struct NamedSection {
  using Struct = S;
  std::string_view name;
  std::map<std::string, S, std::less<>> Config::* member;
};

// In the order of docs/config.md.
inline constexpr std::tuple sections{
    Section<ListenConfig>{"listen", &Config::listen},
    Section<ShardsConfig>{"shards", &Config::shards},
    Section<RingConfig>{"ring", &Config::ring},
    NamedSection<ServerConfig>{"server", &Config::servers},
    NamedSection<DatabaseConfig>{"database", &Config::databases},
    NamedSection<RoleConfig>{"role", &Config::roles},
    Section<AuthConfig>{"auth", &Config::auth},
    Section<TlsConfig>{"tls", &Config::tls},
    Section<TimeoutsConfig>{"timeouts", &Config::timeouts},
    Section<ConsoleConfig>{"console", &Config::console},
    Section<LogConfig>{"log", &Config::log},
};

template <class Visitor>
void for_each_section(Visitor&& visit) {
  std::apply([&](const auto&... section) { (visit(section), ...); }, sections);
}

// The table without its member types, for messages, documents and tests.
struct ConfigKey {
  std::string_view section;  // "listen", "server", "server.NAME.tls"
  bool is_named = false;     // the section is [section.NAME]
  std::string_view name;
  std::string_view type;
  std::string default_value;  // as SHOW CONFIG prints it; may be empty
  std::string_view unset;
  std::string_view meaning;
  bool reloadable = true;
  std::string_view pgbouncer;
};
[[nodiscard]] const std::vector<ConfigKey>& config_keys();

struct ConfigRow {
  std::string key;  // "listen.port", "database.app.pool_size"
  std::string value;
  std::string default_value;
  bool changeable = true;  // by reload
};
// SHOW CONFIG: every key of every section and entry, in byte order of `key`. Secrets as ***.
[[nodiscard]] std::vector<ConfigRow> config_rows(const Config& config);

// What a reload asks for and cannot give: keys that are fixed at start and differ.
struct FixedChange {
  std::string key;
  std::string running;
  std::string wanted;
};
[[nodiscard]] std::vector<FixedChange> fixed_changes(const Config& running, const Config& wanted);

}  // namespace pgring
