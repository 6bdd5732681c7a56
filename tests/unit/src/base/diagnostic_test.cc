#include "src/base/diagnostic.h"

#include <doctest/doctest.h>

#include "src/base/utf8.h"

using namespace pgring;

TEST_CASE("diagnostic: prints place, key, message, the line, a caret under it and the hint") {
  const SourceText source("/etc/x.toml", "a = 1\n  port = \"x\"\n");
  const Diagnostic d = source.at(Severity::error, {2, 10}, "listen.port", "wrong", "do better");
  CHECK(to_string(d) ==
        "/etc/x.toml:2:10: error: listen.port: wrong\n"
        "    2 |   port = \"x\"\n"
        "      |          ^\n"
        "      hint: do better");
}

TEST_CASE("diagnostic: columns count characters, so the caret fits after an umlaut and a tab") {
  const SourceText source("f", "\tä = 1");
  CHECK(source.position_of(3).column == 3);
  CHECK(to_string(source.at(Severity::warning, {1, 3}, "", "m", "")) ==
        "f:1:3: warning: m\n    1 |  ä = 1\n      |   ^");
}

TEST_CASE("diagnostic: a line that names a password is shown without its value") {
  const SourceText source("f",
                          "Password = \"hunter2\"\nx = { password='hunter2' }\npassword hunter2");
  for (std::uint32_t line = 1; line <= 3; ++line) {
    const std::string text = to_string(source.at(Severity::error, {line, 1}, "", "m", ""));
    CAPTURE(text);
    CHECK(text.find("hunter2") == std::string::npos);
    CHECK(text.find("***") != std::string::npos);
  }
}

TEST_CASE("diagnostic: control characters and bad UTF-8 never reach the terminal") {
  const SourceText source("f", "a\x1b[31m\xff = 1\r\nb");
  CHECK(source.at(Severity::error, {1, 1}, "", "m", "").source_line == "a?[31m? = 1");
  CHECK(source.line(2) == "b");
}

TEST_CASE("utf8: accepts the shortest form only, no surrogates, nothing above U+10FFFF") {
  CHECK(utf8_length("a") == 1);
  CHECK(utf8_length("ä") == 2);
  CHECK(utf8_length("€") == 3);
  CHECK(utf8_length("\xF0\x9F\x98\x80") == 4);
  for (const char* bad :
       {"\x80", "\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", ""}) {
    CHECK(utf8_length(bad) == 0);
  }
}
