#include "src/tls/host_check.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tests/unit/src/tls/certificates.h"

namespace pgring::test {
namespace {

AlternativeName dns(std::string name) { return {GEN_DNS, std::move(name)}; }
AlternativeName ip(const char* address) { return {GEN_IPADD, packed(address)}; }

std::string check_of(const std::vector<std::string>& common_names,
                     std::vector<AlternativeName> alternatives, std::string_view host) {
  const Identity identity =
      issue({.common_names = common_names, .alternatives = std::move(alternatives)});
  return host_mismatch(identity.certificate.get(), host);
}

TEST_CASE("host check: names match as libpq matches them") {
  struct Row {
    const char* name;  // in the certificate
    const char* host;
    bool matches;
  };
  static constexpr Row rows[] = {
      {"db.example.com", "db.example.com", true},
      {"DB.Example.COM", "db.eXAMPLE.com", true},
      {"db.example.com", "db.example.org", false},
      {"db.example.com", "db.example.com.", false},
      {"db.example.com", "x.db.example.com", false},
      {"db.example.com", "example.com", false},
      {"*.example.com", "db.example.com", true},
      {"*.example.com", "DB.EXAMPLE.COM", true},
      {"*.example.com", "a.b.example.com", false},
      {"*.example.com", "example.com", false},
      {"*.example.com", ".example.com", false},
      {"d*.example.com", "db.example.com", false},
      {"*", "db", false},
      {"*.", "db.", false},
      {"*.com", "example.com", true},
      {"*.*.com", "a.b.com", false},
      {"db.*.com", "db.example.com", false},
      {"**.example.com", "db.example.com", false},
      {"", "db", false},
  };
  for (const auto& row : rows) {
    CAPTURE(row.name);
    CAPTURE(row.host);
    CHECK(check_of({"other"}, {dns(row.name)}, row.host).empty() == row.matches);
    // As the common name of a certificate without alternatives: the same.
    if (*row.name != '\0') CHECK(check_of({row.name}, {}, row.host).empty() == row.matches);
  }
}

TEST_CASE("host check: any one of several names is enough") {
  const std::vector<AlternativeName> names{dns("a.example"), dns("*.b.example"), ip("10.0.0.7")};
  CHECK(check_of({}, names, "a.example").empty());
  CHECK(check_of({}, names, "x.b.example").empty());
  CHECK(check_of({}, names, "10.0.0.7").empty());
  CHECK(check_of({}, names, "c.example") ==
        "server certificate for \"a.example\" (and 2 other names) does not match host name "
        "\"c.example\"");
  CHECK(check_of({}, {dns("a"), dns("b")}, "c") ==
        "server certificate for \"a\" (and 1 other name) does not match host name \"c\"");
  CHECK(check_of({"a"}, {}, "c") == "server certificate for \"a\" does not match host name \"c\"");
}

TEST_CASE(
    "host check: the common name counts only without an alternative name of the host's kind") {
  CHECK(check_of({"db.example"}, {}, "db.example").empty());
  CHECK(!check_of({"db.example"}, {dns("other.example")}, "db.example").empty());
  // An address among the alternatives says nothing about names.
  CHECK(check_of({"db.example"}, {ip("10.0.0.7")}, "db.example").empty());
  CHECK(check_of({"10.0.0.7"}, {}, "10.0.0.7").empty());
  CHECK(check_of({"10.0.0.7"}, {dns("db.example")}, "10.0.0.7").empty());
  CHECK(!check_of({"10.0.0.7"}, {ip("10.0.0.8")}, "10.0.0.7").empty());
  // Of several the first, as libpq takes it.
  CHECK(check_of({"first", "second"}, {}, "first").empty());
  CHECK(!check_of({"first", "second"}, {}, "second").empty());
  CHECK(check_of({}, {}, "db.example") ==
        "could not get server's host name from server certificate");
}

TEST_CASE("host check: addresses are compared as addresses, of either family") {
  CHECK(check_of({}, {ip("10.0.0.7")}, "10.0.0.7").empty());
  CHECK(check_of({}, {ip("10.0.0.7")}, "10.7").empty());  // inet_aton's short form is the same host
  CHECK(check_of({}, {ip("10.0.0.7")}, "10.0.0.8") ==
        "server certificate for \"10.0.0.7\" does not match host name \"10.0.0.8\"");
  CHECK(check_of({}, {ip("2001:db8::1")}, "2001:DB8:0:0::1").empty());
  CHECK(check_of({}, {ip("2001:db8::1")}, "2001:db8::2") ==
        "server certificate for \"2001:db8::1\" does not match host name \"2001:db8::2\"");
  // A name that is spelled like an address matches it, as for libpq; a wildcard does not.
  CHECK(check_of({}, {dns("10.0.0.7")}, "10.0.0.7").empty());
  CHECK(!check_of({}, {dns("*.0.0.7")}, "10.0.0.7").empty());
  // The first bytes of a longer address are not the address; lengths that are no address match nothing.
  CHECK(!check_of({}, {{GEN_IPADD, packed("2001:db8::1")}}, "32.1.13.184").empty());
  CHECK(!check_of({}, {{GEN_IPADD, packed("10.0.0.7") + '\1'}}, "10.0.0.7").empty());
  CHECK(!check_of({}, {{GEN_IPADD, std::string{}}}, "db.example").empty());
  // A host name that is no address matches no address.
  CHECK(!check_of({}, {ip("10.0.0.7")}, "db.example").empty());
}

TEST_CASE("host check: a name with a NUL byte in it fails the check, whatever else matches") {
  using std::string_literals::operator""s;
  const char* const reason = "SSL certificate's name contains embedded null";
  CHECK(check_of({}, {dns("db.example\0.evil.example"s)}, "db.example") == reason);
  CHECK(check_of({}, {dns("x\0"s), dns("db.example")}, "db.example") == reason);
  CHECK(check_of({"db.example\0.evil.example"s}, {}, "db.example") == reason);
  // It never gets to the common name then.
  CHECK(check_of({"db.example"}, {dns("x\0"s)}, "db.example") == reason);
}

TEST_CASE("host check: without a host nothing is verified") {
  CHECK(check_of({"db"}, {dns("")}, "") ==
        "host name must be specified for a verified SSL connection");
}

TEST_CASE("host check: SNI has names only") {
  CHECK(is_server_name("db.example"));
  CHECK(is_server_name("db"));
  CHECK(is_server_name("10.0.0.7a"));
  CHECK(!is_server_name("10.0.0.7"));
  CHECK(!is_server_name("::1"));
  CHECK(!is_server_name("2001:db8::1"));
  CHECK(!is_server_name(""));
}

}  // namespace
}  // namespace pgring::test
