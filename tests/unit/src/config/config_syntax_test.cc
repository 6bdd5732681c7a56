#include <doctest/doctest.h>

#include "tests/unit/src/config/config_test_util.h"

using namespace pgring;
using namespace config_test;

TEST_CASE("config syntax: the first line says file, line, column; then line, caret and hint") {
  CHECK(error_in("[timeouts]\nquery = 30s") ==
        "f.toml:2:11: error: TOML decimal integer: expected digit, saw 's'\n"
        "    2 | query = 30s\n"
        "      |           ^\n"
        "      hint: text, durations and sizes are written in double quotes: \"30s\"");
}

TEST_CASE("config syntax: several syntax errors and the errors between them come at once") {
  const std::string text = errors_of(
      "[listen]\n"
      "port = 70000\n"   // 2: range
      "backlog = ten\n"  // 3: syntax
      "[log\n"           // 4: syntax; its section is left out
      "level = \"loud\"\n"
      "[auth]\n"
      "method = \"md6\"\n"  // 7: near match
      "[timeouts]\n"
      "query = \"1s\" \"2s\"\n"   // 9: syntax
      "transaction = \"1x\"\n");  // 10: value
  CAPTURE(text);
  CHECK(contains(text, "f.toml:2:8: error: listen.port: 70000 is out of range"));
  CHECK(contains(text, "f.toml:3:12: error: TOML boolean: expected 'true', saw 'te'"));
  CHECK(contains(text, "f.toml:4:5: error: TOML table header: expected ']'"));
  CHECK(contains(text, "f.toml:7:10: error: auth.method: \"md6\" is not an authentication method"));
  CHECK(contains(text, "hint: did you mean \"md5\"?"));
  CHECK(contains(text, "f.toml:9:14: error: TOML key-value pair"));
  CHECK(contains(text, "f.toml:10:15: error: timeouts.transaction: \"1x\" is not a duration"));
  // What may stand in the unreadable parts is not called missing.
  CHECK_FALSE(contains(text, "there is no database"));
  CHECK_FALSE(contains(text, "loud"));
}

TEST_CASE("config syntax: a value that breaks off does not drag the next statement along") {
  const std::string text = errors_of("[listen]\naddress = [\"::1\",\nport = 70000\n");
  CAPTURE(text);
  CHECK(contains(text, "f.toml:3:"));
  CHECK(contains(text, "hint: the statement begins on line 2"));
  CHECK(contains(text, "listen.port: 70000 is out of range"));
}

TEST_CASE("config syntax: a key given twice is an error at the second") {
  CHECK(
      error_in("[listen]\nport = 1\nport = 2")
          .starts_with("f.toml:3:8: error: TOML key-value pair: cannot redefine existing integer"));
}

TEST_CASE("config syntax: no message shows a password, however it is misspelt") {
  for (const char* line :
       {"password = hunter2", "password = \"hunter2", "password = 'hunter2", "password = 99hunter2",
        "password = \"\"\"\nhunter2", "password = \"hunter2\" hunter2", "password = \"\\qhunter2\"",
        "password = [\"hunter2\"]", "password = 20000000hunter2", "passwords = \"hunter2\"",
        "password = \"hunter2\"\npassword = \"hunter2\""}) {
    CAPTURE(line);
    const std::string text =
        errors_of(fmt::format("[role.x]\n{}\n", line) + std::string(good_tail));
    CAPTURE(text);
    CHECK_FALSE(contains(text, "hunter2"));
    CHECK_FALSE(contains(text, "20000000"));
  }
}

TEST_CASE("config syntax: bad bytes are found where they are") {
  CHECK(only_error("[log]\n# \xC3\xA4 \xff\n")
            .starts_with("f.toml:2:5: error: the file is not valid UTF-8 here"));
  CHECK(only_error(std::string_view("[log]\n\0", 7)).starts_with("f.toml:2:1: error: a zero byte"));
}
