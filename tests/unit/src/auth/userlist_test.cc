#include "src/auth/userlist.h"

#include <doctest/doctest.h>

#include <string>

using namespace pgring;

namespace {

constexpr std::string_view scram =
    "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"
    "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB=";

std::string first_error(std::string_view text) {
  const auto result = parse_userlist(text, "u.txt");
  REQUIRE_FALSE(result);
  return to_string(result.error().front());
}

}  // namespace

TEST_CASE("userlist: reads plain, md5 and SCRAM secrets, comments and doubled quotes") {
  const std::string text =
      "\xEF\xBB\xBF; comment\n"
      "# another\n"
      "\n"
      "\"plain\" \"pa\"\"ss word\"\n"
      "  \"md\"\t\"md50123456789abcdef0123456789abcdef\" \"ignored field\"\r\n"
      "\"we\"\"ird\" \"" +
      std::string(scram) +
      "\" ; trailing comment\n"
      "\"nobody\" \"\"";
  const auto users = parse_userlist(text, "u.txt");
  REQUIRE(users);
  REQUIRE(users->size() == 4);
  CHECK(users->at("plain").kind == SecretKind::plain);
  CHECK(users->at("plain").text.reveal() == "pa\"ss word");
  CHECK(users->at("md").kind == SecretKind::md5);
  CHECK(users->at("we\"ird").kind == SecretKind::scram_sha_256);
  CHECK(users->at("nobody").kind == SecretKind::none);
}

TEST_CASE("userlist: a role and secret written out read back as themselves") {
  for (const std::string name : {"app", "a\"b", "a;b#c", "ä ö"}) {
    for (const std::string secret : {"x", "\"", "\"\"", " ; # ", "tab\there", "\xff"}) {
      CAPTURE(name);
      const Secret line = format_userlist_line(name, Secret(secret));
      const auto users = parse_userlist(line.reveal(), "u.txt");
      REQUIRE(users);
      CHECK(users->at(name).text.equals(secret));
    }
  }
}

TEST_CASE("userlist: each fault is reported with file, line and column") {
  CHECK(first_error("\nplain text") ==
        "u.txt:2:1: error: expected a role name in double quotes\n"
        "      hint: a line is: \"role\" \"secret\" (comments begin with ; or #)");
  CHECK(first_error("\"a\"").starts_with(
      "u.txt:1:4: error: expected the role's secret in double quotes"));
  CHECK(first_error("\"a\"\"b\"").starts_with("u.txt:1:1: error: the closing quote") == false);
  CHECK(first_error("\"a\"x \"b\"").starts_with("u.txt:1:4: error: expected a blank"));
  CHECK(first_error("\"ä\" \"b").starts_with("u.txt:1:5: error: the closing quote is missing"));
  CHECK(first_error("\"a\" \"b\"c").starts_with("u.txt:1:8: error: expected a blank or"));
  CHECK(first_error("\"\" \"b\"").starts_with("u.txt:1:1: error: the role name is empty"));
  CHECK(first_error(std::string_view("\"a\" \"b\0c\"", 9))
            .starts_with("u.txt:1:7: error: a zero byte"));
  CHECK(first_error("\"a\" \"1\"\n\"b\" \"1\"\n \"a\" \"2\"") ==
        "u.txt:3:2: error: role \"a\" is listed twice (first on line 1)");
  CHECK(first_error("\"a\" \"SCRAM-SHA-256$4096:x$y:z\"")
            .starts_with("u.txt:1:5: error: the SCRAM secret is damaged: the salt"));
}

TEST_CASE("userlist: names have 63 bytes, secrets 64 KiB") {
  CHECK(
      parse_userlist("\"" + std::string(63, 'n') + "\" \"" + std::string(65536, 's') + "\"", "u"));
  CHECK_FALSE(parse_userlist("\"" + std::string(64, 'n') + "\" \"s\"", "u"));
  CHECK_FALSE(parse_userlist("\"n\" \"" + std::string(65537, 's') + "\"", "u"));
}

TEST_CASE("userlist: all faults come at once and no secret is in them") {
  const auto result =
      parse_userlist("x hunter2\n\"ok\" \"fine\"\n\"y\" \"hunter2\n\"z\"hunter2\n", "u");
  REQUIRE_FALSE(result);
  CHECK(result.error().size() == 3);
  for (const auto& error : result.error()) {
    CHECK(to_string(error).find("hunter2") == std::string::npos);
  }
}

TEST_CASE("secret kind: what PostgreSQL would take for a password is one") {
  CHECK(*classify_secret("md5short") == SecretKind::plain);
  CHECK(*classify_secret("md50123456789ABCDEF0123456789abcdef") == SecretKind::plain);
  CHECK(*classify_secret("SCRAM-SHA-1$x") == SecretKind::plain);
  CHECK(*classify_secret(scram) == SecretKind::scram_sha_256);
  for (std::size_t cut = std::string_view("SCRAM-SHA-256$").size(); cut < scram.size(); ++cut) {
    CHECK_FALSE(classify_secret(scram.substr(0, cut)));
  }
}
