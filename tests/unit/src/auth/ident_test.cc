#include "src/auth/ident.h"

#include <doctest/doctest.h>

#include <string>

#include "tests/auth_files/memory_files.h"

using namespace pgring;

namespace {

Result<Ident, Diagnostics> load(std::string_view text) {
  MemoryFiles files(FileMap{{"/ident", std::string(text)}, {"/more", "m included carl\n"}});
  return load_ident("/ident", files);
}

Ident ident_of(std::string_view text) {
  auto loaded = load(text);
  REQUIRE_MESSAGE(loaded, (loaded ? "" : to_string(loaded.error().front())));
  return *std::move(loaded);
}

std::string answer(const Ident& ident, std::string_view system_name, std::string_view role,
                   std::string_view map = "m") {
  const FixedMembership membership(FixedMembership::Pairs{{"ann", "admins"}});
  const IdentMatch found = ident.match(map, system_name, role, membership);
  switch (found.kind) {
    case IdentMatch::Kind::none:
      return "no";
    case IdentMatch::Kind::rule:
      return found.rule == nullptr ? "equal" : std::to_string(found.rule->line);
    case IdentMatch::Kind::needs_membership:
      return "group " + std::string(found.group);
  }
  return {};
}

}  // namespace

TEST_CASE("ident: without a map both names have to be equal") {
  const Ident none;
  CHECK(answer(none, "bob", "bob", "") == "equal");
  CHECK(answer(none, "bob", "Bob", "") == "no");
  CHECK(answer(none, "bob", "bob", "m") == "no");
}

TEST_CASE("ident: names, keywords, groups and regular expressions") {
  struct Row {
    std::string_view line;
    std::string_view system_name;
    std::string_view role;
    std::string_view expected;
  };
  const Row rows[] = {
      {"m bryanh bob", "bryanh", "bob", "1"},
      {"m bryanh bob", "bryanh", "ann", "no"},
      {"m bryanh bob", "Bryanh", "bob", "no"},
      {"m bryanh bob", "bryanh", "Bob", "no"},
      {"n bryanh bob", "bryanh", "bob", "no"},
      {"M bryanh bob", "bryanh", "bob", "no"},
      {"m bryanh all", "bryanh", "anybody", "1"},
      {"m bryanh \"all\"", "bryanh", "anybody", "no"},
      {"m bryanh \"all\"", "bryanh", "all", "1"},
      {"m all bob", "bryanh", "bob", "no"},
      {"m bryanh +admins", "bryanh", "ann", "1"},
      {"m bryanh +admins", "bryanh", "bob", "no"},
      {"m bryanh +admins", "bryanh", "stranger", "group admins"},
      {"m other +admins", "bryanh", "stranger", "no"},
      {"m bryanh \"+admins\"", "bryanh", "ann", "no"},
      {"m bryanh /^app_", "bryanh", "app_ro", "1"},
      {"m bryanh \"/^app_\"", "bryanh", "app_ro", "1"},
      {"m bryanh /^app_", "bryanh", "ops", "no"},
      {"m /^b bob", "bryanh", "bob", "1"},
      {"m /^b bob", "abryanh", "bob", "no"},
      {"m \"/^b\" bob", "bryanh", "bob", "1"},
      {"m /^(.*)@x\\.com$ \\1", "bob@x.com", "bob", "1"},
      {"m /^(.*)@x\\.com$ \\1", "bob@x.com", "ann", "no"},
      {"m /^(.*)@x\\.com$ \\1", "bob@x.org", "bob", "no"},
      {"m /^(.*)@x\\.com$ pre_\\1_post", "bob@x.com", "pre_bob_post", "1"},
      {"m /^(.*)@x\\.com$ pre_\\1_post", "bob@x.com", "bob", "no"},
      {"m /^(.*)@x\\.com$ \\1\\1", "b@x.com", "b\\1", "1"},  // only the first, as PostgreSQL
      {"m /^(.*)@x\\.com$ \"\\1\"", "bob@x.com", "bob", "1"},
      {"m /^(.*)$ \\1", "all", "anybody", "no"},  // what is put in is a name, never a keyword
      {"m /^(.*)$ \\1", "+admins", "ann", "no"},
      {"m /^(.*)$ \\1", "/.*", "anybody", "no"},
      {"m /^(.*)$ \"+\\1\"", "x", "+x", "1"},
      {"m /^(.*)$ +\\1", "admins", "ann", "no"},  // the group is called \1
      {"m /^(.*)$ \"/^\\\\1$\"", "x", "\\1", "1"},
      {"m bob \\1", "bob", "\\1", "1"},
      {"m \"a b\" bob", "a b", "bob", "1"},
      {"m bob \"\"", "bob", "", "1"},
      {"include more", "included", "carl", "1"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.line);
    CAPTURE(row.system_name);
    CAPTURE(row.role);
    CHECK(answer(ident_of(row.line), row.system_name, row.role) == row.expected);
  }
}

TEST_CASE("ident: the first rule that fits decides, and a \\1 without its text ends the search") {
  const Ident ident = ident_of("m bob ann\nn bob bob\nm bob bob\nm bob all\n");
  CHECK(answer(ident, "bob", "bob") == "3");
  CHECK(answer(ident, "bob", "carl") == "4");
  CHECK(answer(ident, "bob", "bob", "n") == "2");

  const Ident unset = ident_of("m /^(?:x-(.*)|bob)$ \\1\nm bob bob\n");
  CHECK(answer(unset, "x-ann", "ann") == "1");
  CHECK(answer(unset, "bob", "bob") == "no");
}

TEST_CASE("ident: bad lines say where, what and the fix") {
  struct Row {
    std::string_view text;
    std::string_view error;
  };
  const Row rows[] = {
      {"m", "/ident:1:2: error: the line ends before the name from outside"},
      {"m bob", "/ident:1:6: error: the line ends before the role"},
      {"m,n bob bob", "/ident:1:3: error: there is more than one map's name"},
      {"m a,b bob", "/ident:1:5: error: there is more than one name from outside"},
      {"m a b,c", "/ident:1:7: error: there is more than one role"},
      {"m /( b", "/ident:1:3: error: invalid regular expression \"(\""},
      {"m a /(", "/ident:1:5: error: invalid regular expression \"(\""},
      {"m /a \\1", "/ident:1:6: error: \\1 stands for what the first parentheses matched"},
      {"m /(a)* \\1", "and those are repeated"},
      {"m /(a)\\1 bob", "back-references (\\1) are not supported"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const auto loaded = load(row.text);
    REQUIRE_FALSE(loaded);
    const std::string error = to_string(loaded.error().front());
    CAPTURE(error);
    CHECK(error.find(row.error) != std::string::npos);
  }
  CHECK(load("m /( b\nok a b\nm x\n").error().size() == 2);
  CHECK(load("# empty\n"));
}

TEST_CASE("ident: names longer than any that is compared are nobody's") {
  const std::string longer(regex_subject_max + 1, 'x');
  CHECK(answer(ident_of("m /x all"), longer, "bob") == "no");
  CHECK(answer(Ident(), longer, longer, "") == "no");
}

TEST_CASE("ident: rules whose map does not exist are told") {
  MemoryFiles files(
      FileMap{{"/hba", "local a all peer map=m\nlocal b all peer map=no\nlocal c all peer\n"}});
  const auto hba = load_hba("/hba", files);
  REQUIRE(hba);
  const Diagnostics warnings = warn_of_unknown_maps(hba->hba, ident_of("m a b"));
  REQUIRE(warnings.size() == 1);
  CHECK(to_string(warnings[0])
            .find("/hba:2: warning: nobody can log in by this line: the map \"no\"") == 0);
}
