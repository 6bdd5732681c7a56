#include "wire/sql_lexer.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "tests/unit/wire/bytes.h"

using wire::SqlTokenKind;

namespace {

// Each token as a letter for its kind, a colon and its text.
std::vector<std::string> tokens_of(std::string_view sql) {
  static constexpr std::string_view letters = ".wquspn;()o";
  wire::SqlLexer lexer(sql);
  std::vector<std::string> tokens;
  for (auto token = lexer.next(); token.kind != SqlTokenKind::end; token = lexer.next()) {
    std::string text;
    text.push_back(letters[static_cast<std::size_t>(token.kind)]);
    text.append(":").append(lexer.text(token));
    tokens.push_back(text);
  }
  return tokens;
}

using Tokens = std::vector<std::string>;

bool is_one_string(std::string_view sql) {
  const Tokens tokens = tokens_of(sql);
  return tokens.size() == 1 && tokens[0] == "s:" + std::string(sql);
}

bool is_unterminated(std::string_view sql) {
  wire::SqlLexer lexer(sql);
  while (lexer.next().kind != SqlTokenKind::end) continue;
  return lexer.unterminated();
}

}  // namespace

TEST_CASE("sql lexer: an ordinary query") {
  CHECK(tokens_of("SELECT a_1, b$2 FROM \"T\" WHERE x>=$1;") ==
        Tokens{"w:SELECT", "w:a_1", "o:,", "w:b$2", "w:FROM", "q:\"T\"", "w:WHERE", "w:x",
               "o:>=", "p:$1", ";:;"});
  CHECK(tokens_of("f(1, 2.5e-3)") == Tokens{"w:f", "(:(", "n:1", "o:,", "n:2.5e-3", "):)"});
  CHECK(tokens_of("caf\xc3\xa9 \xff") == Tokens{"w:caf\xc3\xa9", "w:\xff"});
}

TEST_CASE("sql lexer: empty texts have no tokens") {
  for (const std::string_view sql : {"", " \t\r\n\f\v", "-- set", "/* ; */", "/**/--\r--\n"}) {
    CAPTURE(sql);
    CHECK(tokens_of(sql).empty());
  }
}

TEST_CASE("sql lexer: comments nest, and end a line's comment at either line break") {
  CHECK(tokens_of("a/* /* b */ c */d") == Tokens{"w:a", "w:d"});
  CHECK(tokens_of("a /*/ b */ c") == Tokens{"w:a", "w:c"});
  CHECK(tokens_of("a--b\rc--d\ne") == Tokens{"w:a", "w:c", "w:e"});
  CHECK(tokens_of("'a' -- ;\n; b") == Tokens{"s:'a'", ";:;", "w:b"});
}

TEST_CASE("sql lexer: an operator ends where a comment begins") {
  CHECK(tokens_of("1+-- a\n2") == Tokens{"n:1", "o:+", "n:2"});
  CHECK(tokens_of("1*/* a */2") == Tokens{"n:1", "o:*", "n:2"});
  CHECK(tokens_of("a<@b||c") == Tokens{"w:a", "o:<@", "w:b", "o:||", "w:c"});
  CHECK(tokens_of("a::int") == Tokens{"w:a", "o::", "o::", "w:int"});
}

TEST_CASE("sql lexer: strings of every kind are one token") {
  for (const std::string_view sql :
       {"'a'", "''", "'it''s'", "'\\'", "E'\\''", "e'\\\\'", "E'a''b\\'c'", "B'01'", "x'ff'",
        "N'a'", "U&'\\0041'", "u&'a''b'", "$$a$$", "$$ ' \" -- $ $a$ $$", "$a$ $$ $b$a$",
        "$\xc3\xa9$x$\xc3\xa9$", "E'a'\n'b\\'c'", "E'a' -- c\n -- d\n 'b\\''"}) {
    CAPTURE(sql);
    CHECK(is_one_string(sql));
    CHECK_FALSE(is_unterminated(sql));
  }
}

TEST_CASE("sql lexer: what only looks like a string's prefix is a word") {
  CHECK(tokens_of("se'\\'a") == Tokens{"w:se", "s:'\\'", "w:a"});
  CHECK(tokens_of("E '\\'a") == Tokens{"w:E", "s:'\\'", "w:a"});
  CHECK(tokens_of("E'a' 'b\\'c") == Tokens{"s:E'a'", "s:'b\\'", "w:c"});
  CHECK(tokens_of("a$$b$$") == Tokens{"w:a$$b$$"});
  CHECK(tokens_of("$1$$a$$") == Tokens{"p:$1", "s:$$a$$"});
  CHECK(tokens_of("$a b$") == Tokens{"o:$", "w:a", "w:b$"});
  CHECK(tokens_of("u & \"a\"") == Tokens{"w:u", "o:&", "q:\"a\""});
}

TEST_CASE("sql lexer: names in quotes and in escapes") {
  CHECK(tokens_of("\"a\"\"b\".\"c;\"") == Tokens{"q:\"a\"\"b\"", "o:.", "q:\"c;\""});
  CHECK(tokens_of("\"\\\"a") == Tokens{"q:\"\\\"", "w:a"});
  CHECK(tokens_of("U&\"s\"\"et\" u&\"\\0073\"") == Tokens{"u:U&\"s\"\"et\"", "u:u&\"\\0073\""});
}

TEST_CASE("sql lexer: letters behind digits are a word of their own") {
  CHECK(tokens_of("1into") == Tokens{"n:1", "w:into"});
  CHECK(tokens_of("1e'\\''") == Tokens{"n:1", "s:e'\\''"});
  CHECK(tokens_of("1e+x .5 1.a") == Tokens{"n:1", "w:e", "o:+", "w:x", "n:.5", "n:1.", "w:a"});
}

TEST_CASE("sql lexer: what is not closed ends with the text") {
  for (const std::string_view sql :
       {"'a;", "''';", "E'a\\';", "E'\\", "E'", "\"a;", "u&\"a;", "u&'a", "$$a;$", "$a$;$$", "/* ;",
        "/* /* */ ;", "/*", "/* *", "$$", "'"}) {
    CAPTURE(sql);
    CHECK(tokens_of(sql).size() <= 1);
    CHECK(is_unterminated(sql));
  }
}

TEST_CASE("sql lexer: the text ends at the first NUL") {
  using namespace std::string_view_literals;
  CHECK(tokens_of("a 'b\0' c"sv) == Tokens{"w:a", "s:'b"});
  CHECK(tokens_of("\0a"sv).empty());
}

TEST_CASE(
    "sql lexer: tokens of random texts follow each other and leave only space and comments out") {
  std::mt19937 random(7);
  for (int i = 0; i < 20000; ++i) {
    const std::string sql = wire_test::random_text(random, 40, "eEuUx&'\"$a1 \n-/*\\;().+");
    CAPTURE(sql);
    wire::SqlLexer lexer(sql);
    std::size_t end = 0;
    std::size_t count = 0;
    for (auto token = lexer.next(); token.kind != SqlTokenKind::end; token = lexer.next()) {
      REQUIRE(token.length > 0);
      REQUIRE(token.offset >= end);
      REQUIRE(token.offset + token.length <= sql.size());
      // What lies between two tokens has no tokens by itself.
      REQUIRE(tokens_of(std::string_view(sql).substr(end, token.offset - end)).empty());
      end = token.offset + token.length;
      REQUIRE(++count <= sql.size());
    }
  }
}
