// From the TOML tree to Config by the key table, remembering where each key stands.
//
// What:   read_config fills a Config; ConfigSource is what the later checks need to point at places.
// Life:   within one load_config or parse_config.
// Errors: unknown sections and keys and bad values go to `errors`, each with a near match.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/diagnostic.h"
#include "src/config/config.h"

namespace pgring {

// A secret that the file does not hold itself; see secret_source.h.
struct SecretReference {
  enum class Kind : std::uint8_t { file, credential, env };
  Kind kind = Kind::file;
  std::string name;  // path, or name of the credential or variable
  std::string key;   // "role.app.password"
  Secret* target = nullptr;
};

struct ConfigSource {
  explicit ConfigSource(std::string_view file, std::string_view text) : source(file, text) {}

  [[nodiscard]] bool has(const std::string& key) const { return positions.contains(key); }
  void error(const std::string& key, std::string message, std::string hint);
  void warning(const std::string& key, std::string message, std::string hint);

  SourceText source;
  std::map<std::string, Position> positions;  // "database.app.user" -> its value
  bool complete = true;                       // false: parts of the file could not be read
  std::vector<SecretReference> secrets;
  bool has_secret = false;  // the file itself holds one
  Diagnostics errors;
  Diagnostics warnings;

 private:
  [[nodiscard]] Position find(const std::string& key) const;
};

void read_config(ConfigSource& source, Config& config);

// "database.app" as it is used in keys and messages.
[[nodiscard]] std::string entry_key(std::string_view section, std::string_view name);

}  // namespace pgring
