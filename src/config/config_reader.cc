#include "src/config/config_reader.h"

#include <fmt/format.h>

#include <array>

#include "src/base/join.h"
#include "src/base/near_match.h"
#include "src/config/config_keys.h"
#include "src/config/toml_document.h"

namespace pgring {
namespace {

// The words people bring along from PgBouncer and from habit.
std::string_view section_alias(std::string_view name) {
  if (name == "databases") return "database";
  if (name == "users" || name == "user" || name == "roles") return "role";
  if (name == "servers" || name == "host") return "server";
  if (name == "pgbouncer") return "listen";
  return {};
}

std::string header_of(std::string_view section, bool is_named) {
  return is_named ? fmt::format("[{}.NAME]", section) : fmt::format("[{}]", section);
}

// True if the PgBouncer column of a key names `word` as its equivalent: `word` or `word=`.
bool is_pgbouncer_name(const ConfigKey& key, std::string_view word) {
  return key.pgbouncer.find(fmt::format("`{}`", word)) != std::string_view::npos ||
         key.pgbouncer.find(fmt::format("`{}=`", word)) != std::string_view::npos;
}

std::string key_hint(std::string_view section, std::string_view word) {
  std::vector<std::string_view> own;
  std::vector<std::string> elsewhere;
  for (const ConfigKey& key : config_keys()) {
    if (key.section == section) {
      own.push_back(key.name);
    } else if (key.name == word) {
      elsewhere.push_back(header_of(key.section, key.is_named));
    }
  }
  if (!elsewhere.empty()) {
    std::string last = std::move(elsewhere.back());
    elsewhere.pop_back();
    const std::string others = elsewhere.empty() ? "" : join(elsewhere, ", ") + " or ";
    return fmt::format("\"{}\" belongs in {}{}", word, others, last);
  }
  for (const ConfigKey& key : config_keys()) {
    if (is_pgbouncer_name(key, word)) {
      return fmt::format("PgBouncer's {} is \"{}\" in {} here", word, key.name,
                         header_of(key.section, key.is_named));
    }
  }
  const std::string_view near = near_match(word, own);
  if (!near.empty()) return fmt::format("did you mean \"{}\"?", near);
  return fmt::format("the keys here are: {}", join(own, ", "));
}

class Reader {
 public:
  Reader(ConfigSource& source, Config& config) : source_(source), config_(config) {}

  void read() {
    const TomlDocument document = read_toml(source_.source, source_.errors);
    source_.complete = document.complete;
    for (const TomlEntry& entry : document.root.entries) {
      bool is_known = false;
      for_each_section([&](const auto& section) {
        if (section.name != entry.key) return;
        is_known = true;
        read_section(section, entry);
      });
      if (!is_known) unknown_section(entry);
    }
  }

 private:
  template <class S>
  void read_section(const Section<S>& section, const TomlEntry& entry) {
    const std::string key(section.name);
    if (!expect_table(entry, key, fmt::format("write [{}] on a line of its own", key))) return;
    source_.positions[key] = entry.at;
    read_keys(section.name, key, entry.value, config_.*section.member);
  }

  template <class S>
  void read_section(const NamedSection<S>& section, const TomlEntry& entry) {
    const std::string example = fmt::format("entries have names: [{}.main]", section.name);
    if (!expect_table(entry, std::string(section.name), example)) return;
    for (const TomlEntry& named : entry.value.entries) {
      const std::string key = entry_key(section.name, named.key);
      if (!expect_table(named, key, example) || !check_name(section.name, named, key)) continue;
      source_.positions[key] = named.at;
      S& target = (config_.*section.member)[named.key];
      if constexpr (std::is_same_v<S, DatabaseConfig>) target.wildcard = named.key == "*";
      read_keys(section.name, key, named.value, target);
    }
  }

  template <class S>
  void read_keys(std::string_view section, const std::string& prefix, const TomlNode& table,
                 S& target) {
    for (const TomlEntry& entry : table.entries) {
      const std::string path = prefix + "." + quoted_key(entry.key);
      if constexpr (std::is_same_v<S, ServerConfig>) {
        if (entry.key == "tls") {
          if (!expect_table(entry, path, "write [" + path + "] on a line of its own")) continue;
          source_.positions[path] = entry.at;
          read_keys("server.NAME.tls", path, entry.value, target.tls);
          continue;
        }
      }
      const Key<S>* known = nullptr;
      for (const Key<S>& key : keys_of<S>()) {
        if (key.name == entry.key) known = &key;
      }
      if (known == nullptr) {
        error(entry.at, path, fmt::format("unknown key \"{}\" in [{}]", entry.key, prefix),
              key_hint(section, entry.key));
        continue;
      }
      source_.positions[path] = entry.value.at;
      if (const auto* secret = std::get_if<Secret S::*>(&known->field)) {
        if (entry.value.kind == TomlKind::table) {
          read_secret_reference(entry.value, path, target.**secret);
          continue;
        }
        source_.has_secret = true;
      }
      auto problem = std::visit(
          [&](auto member) { return read_value(entry.value, known->rule, target.*member); },
          known->field);
      if (problem) {
        error(problem->at, path, std::move(problem->message), std::move(problem->hint));
      }
    }
  }

  // { file = "…" }, { credential = "…" } or { env = "…" }.
  void read_secret_reference(const TomlNode& node, const std::string& path, Secret& target) {
    using Kind = SecretReference::Kind;
    static constexpr std::array<std::pair<std::string_view, Kind>, 3> kinds{
        {{"file", Kind::file}, {"credential", Kind::credential}, {"env", Kind::env}}};
    const std::string hint = "write { file = \"…\" }, { credential = \"…\" } or { env = \"…\" }";
    if (node.entries.size() != 1) {
      return error(node.at, path, "a secret that stands elsewhere is in one place", hint);
    }
    const TomlEntry& from = node.entries.front();
    for (const auto& [name, kind] : kinds) {
      if (from.key != name) continue;
      if (from.value.kind != TomlKind::string || from.value.text.empty() ||
          from.value.text.find('\0') != std::string::npos) {
        return error(from.value.at, path, "the name of the secret's place is a string", hint);
      }
      source_.secrets.push_back({kind, from.value.text, path, &target});
      return;
    }
    error(from.at, path, fmt::format("a secret cannot stand in \"{}\"", printable(from.key)), hint);
  }

  bool expect_table(const TomlEntry& entry, const std::string& key, const std::string& hint) {
    if (entry.value.kind == TomlKind::table) return true;
    error(entry.at, key, fmt::format("{} where a section is expected", describe(entry.value.kind)),
          hint);
    return false;
  }

  bool check_name(std::string_view section, const TomlEntry& named, const std::string& key) {
    if (named.key.empty()) {
      error(named.at, key, fmt::format("the name of a [{}.NAME] is empty", section), {});
      return false;
    }
    if (named.key.size() > role_name_size_max) {
      error(named.at, key,
            fmt::format("the name is {} bytes long (PostgreSQL's limit is {})", named.key.size(),
                        role_name_size_max),
            {});
      return false;
    }
    if (named.key.find('\0') != std::string::npos) {
      error(named.at, key, "a zero byte (\\u0000) is not allowed in a name", {});
      return false;
    }
    if (named.key == "*" && section != "database") {
      error(named.at, key, fmt::format("[{}.\"*\"] does not exist", section),
            "only databases have an entry for all other names");
      return false;
    }
    return true;
  }

  void unknown_section(const TomlEntry& entry) {
    if (entry.value.kind != TomlKind::table && entry.value.kind != TomlKind::array) {
      return error(entry.at, entry.key,
                   fmt::format("key \"{}\" stands outside of any section", entry.key),
                   key_hint({}, entry.key));
    }
    std::vector<std::string_view> names;
    for_each_section([&](const auto& section) { names.push_back(section.name); });
    std::string_view near = section_alias(entry.key);
    if (near.empty()) near = near_match(entry.key, names);
    std::string hint = fmt::format("the sections are: {}", join(names, ", "));
    for (const ConfigKey& key : config_keys()) {
      if (!near.empty() && key.section == near) {
        hint = fmt::format("did you mean {}?", header_of(key.section, key.is_named));
      }
    }
    error(entry.at, entry.key, fmt::format("unknown section [{}]", quoted_key(entry.key)),
          std::move(hint));
  }

  void error(Position at, std::string key, std::string message, std::string hint) {
    source_.errors.push_back(source_.source.at(Severity::error, at, std::move(key),
                                               std::move(message), std::move(hint)));
  }

  ConfigSource& source_;
  Config& config_;
};

}  // namespace

std::string entry_key(std::string_view section, std::string_view name) {
  return fmt::format("{}.{}", section, quoted_key(name));
}

Position ConfigSource::find(const std::string& key) const {
  // A key that was not written is blamed on its section, and that on the file.
  std::string path = key;
  while (!path.empty()) {
    const auto found = positions.find(path);
    if (found != positions.end()) return found->second;
    const std::size_t dot = path.rfind('.');
    path.resize(dot == std::string::npos ? 0 : dot);
  }
  return {};
}

void ConfigSource::error(const std::string& key, std::string message, std::string hint) {
  errors.push_back(source.at(Severity::error, find(key), key, std::move(message), std::move(hint)));
}

void ConfigSource::warning(const std::string& key, std::string message, std::string hint) {
  warnings.push_back(
      source.at(Severity::warning, find(key), key, std::move(message), std::move(hint)));
}

void read_config(ConfigSource& source, Config& config) { Reader(source, config).read(); }

}  // namespace pgring
