// What the dialect is like is compared with PostgreSQL itself by tests/integration/test_auth_regex.py; here
// is what it shows where that comparison does not reach, and what bounds it.
#include "src/auth/regex.h"

#include <doctest/doctest.h>

#include <chrono>
#include <string>

using namespace pgring;

namespace {

Regex compiled(std::string_view pattern) {
  CAPTURE(pattern);
  auto regex = Regex::compile(pattern);
  REQUIRE_MESSAGE(regex, (regex ? "" : regex.error()));
  return *std::move(regex);
}

std::string error_of(std::string_view pattern) {
  CAPTURE(pattern);
  const auto regex = Regex::compile(pattern);
  REQUIRE_FALSE(regex);
  return regex.error();
}

}  // namespace

TEST_CASE("regex: matches anywhere unless it is anchored") {
  struct Row {
    std::string_view pattern;
    std::string_view subject;
    bool matches;
  };
  const Row rows[] = {
      {"b", "abc", true},
      {"^b", "abc", false},
      {"", "", true},
      {"", "x", true},
      {"^$", "", true},
      {"^$", "x", false},
      {"^db\\d{2,4}$", "db1", false},
      {"^db\\d{2,4}$", "db12", true},
      {"^db\\d{2,4}$", "db12345", false},
      {"^.*_ro$", "app_ro", true},
      {"(?i)^APP", "application", true},
      {"(?i)^[^A]", "apple", false},
      {"***=a.c", "abc", false},
      {"^(?!admin)", "adminton", false},
      {"^(?!admin$)", "adminton", true},
      {"(?<=^a)b$", "ab", true},
      {"^(?=.*a)(?=.*b)", "xxbxxa", true},
      {"^(?=.*a)(?=.*b)", "xxbxx", false},
      {"^(?:(?!ab).)*$", "a-b", true},
      {"^(?:(?!ab).)*$", "cab", false},
  };
  for (const Row& row : rows) {
    CAPTURE(row.pattern);
    CAPTURE(row.subject);
    CHECK(compiled(row.pattern).matches(row.subject) == row.matches);
  }
}

TEST_CASE("regex: bytes beyond ASCII are bytes, as while PostgreSQL authenticates") {
  CHECK(compiled("^m\xC3\xBCller$").matches("m\xC3\xBCller"));
  CHECK(compiled("^m..ller$").matches("m\xC3\xBCller"));
  CHECK_FALSE(compiled("^m.ller$").matches("m\xC3\xBCller"));
  CHECK_FALSE(compiled("^\\w+$").matches("m\xC3\xBCller"));
  CHECK_FALSE(compiled("(?i)^\xC3\x9C$").matches("\xC3\xBC"));
  CHECK(compiled("^\\xC3\\xBC$").matches("\xC3\xBC"));
}

TEST_CASE("regex: the first parentheses' text is what PostgreSQL would put for \\1") {
  struct Row {
    std::string_view pattern;
    std::string_view subject;
    std::optional<std::string_view> group;
  };
  const Row rows[] = {
      {"^(.*)@example\\.com$", "bob@example.com", "bob"},
      {"^(.*)@example\\.com$", "bob@example.org", std::nullopt},
      {"^[^/]*/(.*)$", "a/b/c", "b/c"},
      {"^.*/(.*)$", "a/b/c", "c"},
      {"^.*?/(.*)$", "a/b/c", "b/c"},
      {"(a|ab)(c|bcd)(d*)", "abcd", "ab"},
      {"^(?:x-(a)|y-(b))$", "x-a", "a"},
      {"^(?:x-(a)|y-(b))$", "y-b", std::nullopt},
      {"^((a)b)$", "ab", "ab"},
      {"^()x$", "x", ""},
      {"^(?i)(b)$", "B", std::nullopt},  // options stand first, or are an error
  };
  for (const Row& row : rows) {
    CAPTURE(row.pattern);
    CAPTURE(row.subject);
    const auto regex = Regex::compile(row.pattern);
    if (!regex) {
      CHECK(row.pattern == "^(?i)(b)$");
      continue;
    }
    CHECK(regex->find_group(row.subject) == row.group);
  }
  CHECK_FALSE(compiled("a(?:b)(?=(c))").has_group());
  CHECK(compiled("(a)*b").group_is_repeated());
  CHECK_FALSE(compiled("(a*)b").group_is_repeated());
}

TEST_CASE("regex: what is refused says why") {
  CHECK(error_of("(a)\\1").find("back-references (\\1)") == 0);
  CHECK(error_of("(?x)a").find("(?x) is not supported") != std::string::npos);
  CHECK(error_of("(a").find("parenthesis is not closed") != std::string::npos);
  CHECK(error_of("a)").find("no opening one") != std::string::npos);
  CHECK(error_of("*").find("nothing before it") != std::string::npos);
  CHECK(error_of("a{3,2}").find("bound") != std::string::npos);
  CHECK(error_of("[a").find("bracket") != std::string::npos);
  CHECK(error_of("[[:no:]]").find("[:no:]") != std::string::npos);
  CHECK(error_of("\\x100").find("beyond one byte") != std::string::npos);
  CHECK(error_of("a\\").find("ends with a backslash") != std::string::npos);
}

TEST_CASE("regex: size and depth are bounded when it is compiled") {
  CHECK(error_of("(?:(?:a{255}){255}){255}").find("too large") != std::string::npos);
  CHECK(error_of(std::string(regex_code_max + 1, 'a')).find("too large") != std::string::npos);
  CHECK(error_of(std::string(100'000, '(')).find("too deeply") != std::string::npos);
  std::string looks;
  for (std::size_t i = 0; i <= regex_lookaround_max; ++i) looks += "(?=a)";
  CHECK(error_of(looks).find("more than 16") != std::string::npos);
  CHECK(error_of("(?:(?=a)b){17}").find("more than 16") != std::string::npos);
  CHECK(compiled(std::string(regex_code_max, 'a')).matches(std::string(regex_subject_max, 'a')) ==
        false);
}

TEST_CASE("regex: no pattern makes matching take more than its size times the subject's") {
  // Each of these takes a backtracking matcher longer than the universe has been there.
  const std::string subject(regex_subject_max - 1, 'a');
  const auto start = std::chrono::steady_clock::now();
  for (const std::string_view pattern : {"^(a+)+$", "^(a|a)*$", "^(a*)*b", "^(?:(?:a*)*)*$",
                                         "(a?){200}a{200}$", "^(?=(a+)+$)(.*)*b$"}) {
    CAPTURE(pattern);
    const Regex regex = compiled(pattern);
    static_cast<void>(regex.matches(subject + "!"));
    CHECK(compiled("^(.*?)(?:a|a)*b$").find_group(subject + "b") == "");
  }
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
}
