#include <doctest/doctest.h>

#include <string>

#include "src/auth/hba.h"
#include "tests/auth_files/memory_files.h"

using namespace pgring;

namespace {

using Kind = HbaRequest::Kind;

Hba hba_of(std::string_view text) {
  MemoryFiles files(
      FileMap{{"/hba", std::string(text)}, {"/names", "ann\nbob, \"all\" +admins\n"}});
  auto loaded = load_hba("/hba", files);
  REQUIRE_MESSAGE(loaded, (loaded ? "" : to_string(loaded.error().front())));
  return std::move(loaded->hba);
}

IpAddress address(const std::string& text) {
  const auto parsed = IpAddress::parse(text);
  REQUIRE(parsed);
  REQUIRE(parsed->has_value());
  return **parsed;
}

const FixedMembership& membership() {
  static const FixedMembership fixed(FixedMembership::Pairs{{"ann", "admins"}, {"ann", "shop"}});
  return fixed;
}

// "none", the line, "name" or "group NAME".
std::string answer(const Hba& hba, const HbaRequest& request) {
  const HbaMatch found = hba.match(request, membership());
  switch (found.kind) {
    case HbaMatch::Kind::none:
      CHECK(found.rule == nullptr);
      return "none";
    case HbaMatch::Kind::rule:
      return std::to_string(found.rule->line);
    case HbaMatch::Kind::needs_host_name:
      return "name";
    case HbaMatch::Kind::needs_membership:
      return "group " + std::string(found.group);
  }
  return {};
}

}  // namespace

TEST_CASE("hba: the type of line and of connection") {
  struct Row {
    std::string_view type;
    bool unix_socket;
    bool tcp;
    bool tls;
  };
  const Row rows[] = {
      {"local all all trust", true, false, false},
      {"host all all all trust", false, true, true},
      {"hostssl all all all trust", false, false, true},
      {"hostnossl all all all trust", false, true, false},
      {"hostgssenc all all all trust", false, false, false},
      {"hostnogssenc all all all trust", false, true, true},
      {"host all all 0.0.0.0/0 trust", false, true, true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.type);
    const Hba hba = hba_of(row.type);
    HbaRequest request{.address = address("10.0.0.1"), .database = "d", .role = "r"};
    request.kind = Kind::unix_socket;
    CHECK((answer(hba, request) == "1") == row.unix_socket);
    request.kind = Kind::tcp;
    CHECK((answer(hba, request) == "1") == row.tcp);
    request.kind = Kind::tls;
    CHECK((answer(hba, request) == "1") == row.tls);
  }
}

TEST_CASE("hba: databases and roles") {
  struct Row {
    std::string_view fields;
    std::string_view database;
    std::string_view role;
    std::string_view expected;
  };
  const Row rows[] = {
      {"all all", "d", "r", "1"},
      {"\"all\" all", "d", "r", "none"},
      {"\"all\" all", "all", "r", "1"},
      {"all \"all\"", "d", "r", "none"},
      {"all \"all\"", "d", "all", "1"},
      {"d all", "d", "r", "1"},
      {"d all", "D", "r", "none"},
      {"a,d,c all", "d", "r", "1"},
      {"sameuser all", "r", "r", "1"},
      {"sameuser all", "d", "r", "none"},
      {"\"sameuser\" all", "sameuser", "r", "1"},
      {"all sameuser", "d", "r", "none"},
      {"all sameuser", "d", "sameuser", "1"},
      {"samerole all", "shop", "ann", "1"},
      {"samegroup all", "shop", "ann", "1"},
      {"samerole all", "shop", "bob", "none"},
      {"samerole all", "bob", "bob", "1"},
      {"samerole all", "d", "stranger", "group d"},
      {"samerole,d all", "d", "stranger", "1"},
      {"replication all", "replication", "r", "none"},
      {"\"replication\" all", "replication", "r", "1"},
      {"all +admins", "d", "ann", "1"},
      {"all +admins", "d", "bob", "none"},
      {"all +admins", "d", "admins", "1"},
      {"all \"+admins\"", "d", "ann", "none"},
      {"all \"+admins\"", "d", "+admins", "1"},
      {"+admins all", "+admins", "r", "1"},
      {"all +admins", "d", "stranger", "group admins"},
      {"all +admins,stranger", "d", "stranger", "1"},
      {"all +other,+admins", "d", "ann", "1"},
      {"all @names", "d", "bob", "1"},
      {"all @names", "d", "ann", "1"},
      {"all @names", "d", "all", "1"},
      {"all @names", "d", "carl", "none"},
      {"all \"@names\"", "d", "bob", "none"},
      {"/^d\\d+$ all", "d12", "r", "1"},
      {"/^d\\d+$ all", "d", "r", "none"},
      {"\"/^d\\d+$\" all", "d12", "r", "1"},
      {"all \"/^(ann|bob)$\"", "d", "bob", "1"},
      {"all /^(?!postgres$)", "d", "postgres", "none"},
      {"all /^(?!postgres$)", "d", "app", "1"},
      {"all /^a,b", "d", "b", "1"},
      {"all /", "d", "anybody", "1"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.fields);
    CAPTURE(row.database);
    CAPTURE(row.role);
    const Hba hba = hba_of("local " + std::string(row.fields) + " trust");
    CHECK(answer(hba, {.kind = Kind::unix_socket, .database = row.database, .role = row.role}) ==
          row.expected);
  }
}

TEST_CASE(
    "hba: physical replication is for the keyword only, logical replication for its database") {
  HbaRequest request{.kind = Kind::unix_socket, .database = "replication", .role = "r"};
  request.is_physical_replication = true;
  for (const std::string_view line : {"local all all trust", "local \"replication\" all trust",
                                      "local sameuser all trust", "local /.* all trust"}) {
    CAPTURE(line);
    CHECK(answer(hba_of(line), request) == "none");
  }
  CHECK(answer(hba_of("local all,replication r trust"), request) == "1");
  CHECK(answer(hba_of("local replication other trust"), request) == "none");
  request.is_physical_replication = false;
  CHECK(answer(hba_of("local replication all trust"), request) == "none");
  CHECK(answer(hba_of("local all all trust"), request) == "1");
}

TEST_CASE("hba: addresses are compared under the mask, families apart") {
  struct Row {
    std::string_view line;
    std::string peer;
    bool matches;
  };
  const Row rows[] = {
      {"10.1.0.0/16", "10.1.255.255", true},
      {"10.1.0.0/16", "10.2.0.0", false},
      {"10.1.2.3/16", "10.1.0.0", true},
      {"0.0.0.0/0", "::1", false},
      {"::/0", "10.0.0.1", false},
      {"::/0", "fd00::1", true},
      {"10.0.0.5 255.0.0.255", "10.9.9.5", true},
      {"10.0.0.5 255.0.0.255", "10.9.9.6", false},
      {"fd00::/8", "fdff::1", true},
      {"fd00::/8", "fe00::1", false},
      {"10.0.0.0/8", "::ffff:10.0.0.1", true},
      {"::ffff:10.0.0.0/104", "::ffff:10.0.0.1", false},
      {"all", "fd00::1", true},
      {"samehost", "10.7.0.1", true},
      {"samehost", "10.7.0.2", false},
      {"samenet", "10.7.200.2", true},
      {"samenet", "10.8.0.1", false},
      {"samenet", "fd07::99", true},
      {"samenet", "fd08::99", false},
  };
  const InterfaceAddress own[] = {{address("10.7.0.1"), address("255.255.0.0")},
                                  {address("fd07::1"), address("ffff::")}};
  for (const Row& row : rows) {
    CAPTURE(row.line);
    CAPTURE(row.peer);
    const Hba hba = hba_of("host all all " + std::string(row.line) + " trust");
    HbaRequest request{
        .kind = Kind::tls, .address = address(row.peer), .database = "d", .role = "r"};
    request.interfaces = own;
    CHECK((answer(hba, request) == "1") == row.matches);
  }
}

TEST_CASE("hba: a host name is asked for only where it decides, and counts only if it is proven") {
  const Hba hba = hba_of(
      "host d ann db.example.com trust\n"
      "host d all .Example.com md5\n"
      "host all all 10.0.0.0/8 reject\n"
      "host all all all scram-sha-256\n");
  HbaRequest request{.address = address("10.0.0.1"), .database = "other", .role = "ann"};
  CHECK(answer(hba, request) == "3");
  request.database = "d";
  CHECK(answer(hba, request) == "name");
  CHECK(hba.match(request, membership()).rule->line == 1);
  request.host_name = {PeerHostName::Kind::none, {}};
  CHECK(answer(hba, request) == "3");
  request.host_name = {PeerHostName::Kind::known, "DB.example.COM"};
  CHECK(answer(hba, request) == "1");
  request.role = "bob";
  CHECK(answer(hba, request) == "2");
  for (const std::string_view other :
       {"example.com", "badexample.com", "db.example.com.", "com", ""}) {
    request.host_name.name = other;
    CAPTURE(other);
    CHECK(answer(hba, request) == "3");
  }
}

TEST_CASE("hba: an unknown membership stops the search, unless an earlier rule decides") {
  const Hba hba = hba_of("local a +admins reject\nlocal all all trust\n");
  CHECK(answer(hba, {.kind = Kind::unix_socket, .database = "a", .role = "stranger"}) ==
        "group admins");
  CHECK(answer(hba, {.kind = Kind::unix_socket, .database = "b", .role = "stranger"}) == "2");
  CHECK(answer(hba, {.kind = Kind::unix_socket, .database = "a", .role = "ann"}) == "1");
  CHECK(answer(hba, {.kind = Kind::unix_socket, .database = "a", .role = "bob"}) == "2");
}

TEST_CASE("hba: a method that pgring does not have ends the search as any other") {
  const Hba hba = hba_of("host all all all gss\nhost all all all trust\n");
  const HbaMatch found =
      hba.match({.address = address("10.0.0.1"), .database = "d", .role = "r"}, membership());
  REQUIRE(found.kind == HbaMatch::Kind::rule);
  CHECK(found.rule->line == 1);
  CHECK_FALSE(is_supported(found.rule->method));
}

TEST_CASE("hba: names longer than any of PostgreSQL's match nothing") {
  const Hba hba = hba_of("local all all trust");
  const std::string longest(regex_subject_max, 'x');
  const std::string longer = longest + "x";
  CHECK(answer(hba, {.kind = Kind::unix_socket, .database = longest, .role = longest}) == "1");
  CHECK(answer(hba, {.kind = Kind::unix_socket, .database = longer, .role = "r"}) == "none");
  CHECK(answer(hba, {.kind = Kind::unix_socket, .database = "d", .role = longer}) == "none");
}
