#include "src/auth/auth_file.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/auth_files/memory_files.h"

using namespace pgring;

namespace {

// Fields with a | between them, tokens with a comma, quoted ones in quotes.
std::string shown(const AuthDocument& document) {
  std::string text;
  for (const AuthLine& line : document.lines()) {
    text += std::to_string(line.number) + ":";
    for (const AuthField& field : line.fields) {
      text += '|';
      for (const AuthToken& token : field) {
        if (&token != field.data()) text += ',';
        text += token.is_quoted ? '"' + token.text + '"' : token.text;
      }
    }
    text += '\n';
  }
  return text;
}

std::string read(std::string_view text) {
  MemoryFiles files(FileMap{{"/etc/a", std::string(text)}});
  AuthDocument document("/etc/a", files);
  const Diagnostics errors = document.take_diagnostics();
  return errors.empty() ? shown(document) : to_string(errors.front());
}

std::string errors_of(const FileMap& in_memory, const std::string& path = "/etc/a") {
  MemoryFiles files(in_memory);
  AuthDocument document(path, files);
  std::string text;
  for (const Diagnostic& error : document.take_diagnostics()) text += to_string(error) + '\n';
  return text;
}

}  // namespace

TEST_CASE("auth file: tokens, quotes, commas and comments are PostgreSQL's") {
  struct Row {
    std::string_view text;
    std::string_view lines;
  };
  const Row rows[] = {
      {"", ""},
      {"# nothing\n\n   \t\n", ""},
      {"local all all trust", "1:|local|all|all|trust\n"},
      {"local\tall  all\ttrust # why\r\n", "1:|local|all|all|trust\n"},
      {"a,b c", "1:|a,b|c\n"},
      {"a, b c", "1:|a,b|c\n"},
      {"a ,b c", "1:|a|b|c\n"},
      {",a,,b,", "1:|a,b\n"},
      {"a,#b", "1:|a\n"},
      {"a#b", "1:|a\n"},
      {"\"a#b\"", "1:|\"a#b\"\n"},
      {"\"a b\" \"c,d\"", "1:|\"a b\"|\"c,d\"\n"},
      {"\"a\"\"b\"", "1:|\"a\"b\"\n"},
      {"\"\" x", "1:|\"\"|x\n"},
      {"a\"b c\"d", "1:|ab cd\n"},
      {"\"all\" all", "1:|\"all\"|all\n"},
      {"\"@x\"", "1:|\"@x\"\n"},
      {"@", "1:|@\n"},
      {"a \\\nb\nc", "1:|a|b\n3:|c\n"},
      {"a\\\nb", "1:|ab\n"},
      {"a\\\r\nb", "1:|ab\n"},
      {"# a \\\nb\nc", "3:|c\n"},
      {"a \\ \nb", "1:|a|\\\n2:|b\n"},
      {"a\\\\\n\nb", "1:|a\\\n3:|b\n"},
      {"a\\", "1:|a\n"},
      {"\"a \\\n b\"", "1:|\"a  b\"\n"},
      {"\n\nx\\\n\\\ny z\nw", "3:|xy|z\n6:|w\n"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(read(row.text) == row.lines);
  }
}

TEST_CASE("auth file: a quote that is not closed, a zero byte and a byte order mark are errors") {
  CHECK(
      read("a \"b c") ==
      "/etc/a:1:3: error: the closing quote is missing on this line\n    1 | a \"b c\n      |   ^\n"
      "      hint: a quote inside quotes is written twice: \"\"");
  CHECK(read(std::string_view("a\nb\0c", 5)).find("/etc/a:2:2: error: a zero byte") == 0);
  CHECK(
      read("\xEF\xBB\xBFlocal").find("/etc/a:1:1: error: the file begins with a byte order mark") ==
      0);
}

TEST_CASE("auth file: @file is a list of names, include a piece of the file") {
  MemoryFiles files(FileMap{
      {"/etc/a", "x @names,z\ninclude sub/b\ninclude_if_exists none\nlast\n"},
      {"/etc/names", "n1 n2, n3 # all\n\n@more \"@q\"\n"},
      {"/etc/more", "m1"},
      {"/etc/sub/b", "from_b\ninclude c\ninclude_dir ../conf.d\n"},
      {"/etc/sub/c", "from_c"},
      {"/etc/conf.d/20.conf", "twenty"},
      {"/etc/conf.d/10.conf", "ten"},
      {"/etc/conf.d/B.conf", "capital"},
      {"/etc/conf.d/.x.conf", "hidden"},
      {"/etc/conf.d/y.txt", "other"},
      {"/etc/conf.d/.conf", "nameless"},
  });
  AuthDocument document("/etc/./a", files);
  CHECK(document.take_diagnostics().empty());
  CHECK(
      shown(document) ==
      "1:|x|n1,n2,n3,m1,\"@q\",z\n1:|from_b\n1:|from_c\n1:|ten\n1:|twenty\n1:|capital\n4:|last\n");
  CHECK(document.path_of(document.lines()[2]) == "/etc/sub/c");
}

TEST_CASE("auth file: what cannot be included is an error where it is said") {
  CHECK(
      errors_of(FileMap{
          {"/etc/a", "x\ny @no z\ninclude no2\ninclude_dir no3\ninclude a,b\ninclude \"\"\n"}}) ==
      "/etc/a:2:3: error: cannot read \"/etc/no\": No such file or directory\n    2 | y @no z\n    "
      "  |   ^\n"
      "/etc/a:3:9: error: cannot read \"/etc/no2\": No such file or directory\n    3 | include "
      "no2\n      |         ^\n"
      "/etc/a:4:13: error: cannot read the folder \"/etc/no3\": No such file or directory\n    4 | "
      "include_dir no3\n"
      "      |             ^\n"
      "/etc/a:5:11: error: include takes one name\n    5 | include a,b\n      |           ^\n"
      "      hint: write one line for each\n"
      "/etc/a:6:9: error: include has an empty name\n    6 | include \"\"\n      |         ^\n");
  CHECK(errors_of(FileMap{{"/etc/a", "x @b y"}, {"/etc/b", "# nobody\n"}})
            .find("/etc/a:1:3: error: there is nothing in \"/etc/b\"") == 0);
  CHECK(errors_of(FileMap{}, "/etc/a") ==
        "/etc/a: error: cannot read \"/etc/a\": No such file or directory\n");
}

TEST_CASE("auth file: ten files deep is allowed, eleven and loops are not") {
  std::map<std::string, std::string> chain;
  for (int i = 0; i < 10; ++i) chain["/" + std::to_string(i)] = "include /" + std::to_string(i + 1);
  chain["/10"] = "deep";
  MemoryFiles good(chain);
  AuthDocument document("/0", good);
  CHECK(shown(document) == "1:|deep\n");
  chain["/10"] = "include /11";
  chain["/11"] = "deeper";
  CHECK(errors_of(chain, "/0").find("/10:1:9: error: \"/11\" would be nested more than 10") == 0);

  // Twelve times itself, each twelve times itself …: one error, soon.
  std::string loop;
  for (int i = 0; i < 12; ++i) loop += "include a\n";
  const std::string errors = errors_of(FileMap{{"/etc/a", loop}});
  CHECK(errors.find("nested more than 10") != std::string::npos);
  CHECK(errors.find("error", errors.find("error") + 5) == std::string::npos);
  CHECK(errors_of(FileMap{{"/etc/a", "x @a"}}).find("nested more than 10") != std::string::npos);
}

TEST_CASE("auth file: the number of files and of errors is bounded") {
  std::string many;
  for (std::size_t i = 0; i < auth_files_max + 5; ++i) many += "include b\n";
  CHECK(errors_of(FileMap{{"/etc/a", many}, {"/etc/b", "x"}}).find("more than 1000 files") !=
        std::string::npos);
  std::string wrong;
  for (std::size_t i = 0; i < auth_diagnostics_max + 5; ++i) wrong += "include none\n";
  MemoryFiles files(FileMap{{"/etc/a", wrong}});
  AuthDocument document("/etc/a", files);
  CHECK(document.take_diagnostics().size() == auth_diagnostics_max);
  CHECK(document.has_errors());
}

TEST_CASE("auth file: a line that names a secret is shown without it, a joined one not at all") {
  MemoryFiles files(
      FileMap{{"/etc/a", "x ldapbindpasswd=hush y\nz ldapbindpasswd=\\\nhush y\nplain"}});
  AuthDocument document("/etc/a", files);
  for (const AuthLine& line : document.lines()) document.error(line.fields.back().front(), "wrong");
  const Diagnostics errors = document.take_diagnostics();
  REQUIRE(errors.size() == 3);
  CHECK(errors[0].source_line == "x ldapbindpasswd=***");
  CHECK(errors[1].source_line.empty());
  CHECK(errors[1].at == Position{3, 6});
  CHECK(errors[2].source_line == "plain");
}
