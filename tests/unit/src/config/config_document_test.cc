#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>

#include "src/config/config_keys.h"
#include "tests/unit/src/config/config_test_util.h"

using namespace pgring;
using namespace config_test;

namespace {

std::string read_document() {
  std::ifstream file(PGRING_SOURCE_ROOT "/docs/config.md");
  REQUIRE(file);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string default_cell(const ConfigKey& key) {
  if (!key.unset.empty() && key.default_value.empty()) return std::string(key.unset);
  if (key.type == "array of strings") {
    return key.default_value.empty() ? "`[]`" : fmt::format("`[\"{}\"]`", key.default_value);
  }
  const bool is_bare = key.type == "integer" || key.type == "boolean" ||
                       (key.type.starts_with("integer") &&
                        key.default_value.find_first_not_of("0123456789") == std::string::npos);
  return is_bare ? fmt::format("`{}`", key.default_value)
                 : fmt::format("`\"{}\"`", key.default_value);
}

std::string row(const ConfigKey& key) {
  return fmt::format("| `{}` | {} | {} | {} | {} | {} |\n", key.name, key.type, default_cell(key),
                     key.meaning, key.reloadable ? "yes" : "no",
                     key.pgbouncer.empty() ? "–" : key.pgbouncer);
}

// The text of a section's chapter: from its heading to the next one.
std::string chapter(const std::string& document, const ConfigKey& key) {
  const std::string heading = key.is_named ? fmt::format("\n### [{}.NAME]\n", key.section)
                                           : fmt::format("\n### [{}]\n", key.section);
  const std::size_t start = document.find(heading);
  if (start == std::string::npos) return {};
  return document.substr(start, document.find("\n##", start + heading.size()) - start);
}

}  // namespace

TEST_CASE("docs/config.md: has each key's row, as the key table says it") {
  const std::string document = read_document();
  for (const ConfigKey& key : config_keys()) {
    INFO("add to the chapter [" << key.section << "]: " << row(key));
    CHECK(contains(chapter(document, key), row(key)));
  }
  // And no row of a key that is gone.
  std::size_t rows = 0;
  for (std::size_t at = 0; (at = document.find("\n| `", at)) != std::string::npos; ++at) ++rows;
  CHECK(rows == config_keys().size());
}

TEST_CASE("docs/config.md: its examples are sound configurations") {
  const std::string document = read_document();
  int examples = 0;
  for (std::size_t at = 0; (at = document.find("```toml\n", at)) != std::string::npos; ++examples) {
    at += 8;
    const std::string text = document.substr(at, document.find("```", at) - at);
    CAPTURE(text);
    const LoadedConfig loaded = good(text);
    CHECK(loaded.warnings.empty());
  }
  CHECK(examples == 2);
}

TEST_CASE("docs/config.md: the errors it shows are the errors that come") {
  const std::string document = read_document();
  const std::size_t start = document.find("```console\n");
  REQUIRE(start != std::string::npos);
  const std::string shown = document.substr(start, document.find("\n```", start + 3) - start);
  const auto result = parse_config(
      "[server.main]\n[database.app]\npool_mode = \"transcation\"\npool_sise = 20\n"
      "[timeouts]\nquery_wait = 120\n",
      "pgring.toml");
  REQUIRE_FALSE(result);
  CHECK(result.error().errors.size() == 3);
  for (const Diagnostic& error : result.error().errors) {
    CAPTURE(to_string(error));
    CHECK(contains(shown, to_string(error)));
  }
}

// Prints the rows for docs/config.md: PGRING_PRINT_KEYS=1 build/tests/unit/unit_tests -tc="*rows*".
TEST_CASE("docs/config.md: rows can be printed") {
  std::string text;
  for (const ConfigKey& key : config_keys()) text += fmt::format("{}: {}", key.section, row(key));
  CHECK_FALSE(text.empty());
  if (std::getenv("PGRING_PRINT_KEYS") != nullptr) std::cout << text;
}
