#include "wire/command_tag.h"

#include <doctest/doctest.h>

#include "tests/unit/wire/bytes.h"
#include "wire/backend_key_data.h"
#include "wire/parameter_status.h"

using namespace std::string_literals;
using namespace std::string_view_literals;
using wire::as_bytes;

TEST_CASE("command tag: the first word is compared whole") {
  CHECK(wire::command_tag_is("SELECT 1", "SELECT"));
  CHECK(wire::command_tag_is("BEGIN", "BEGIN"));
  CHECK_FALSE(wire::command_tag_is("SELECT 1", "SEL"));
  CHECK_FALSE(wire::command_tag_is("COPY 1", "COPYX"));
  CHECK(wire::command_tag_word("INSERT 0 5") == "INSERT");
  CHECK(wire::command_tag_word("").empty());
}

TEST_CASE("command tag: a body is exactly one string") {
  CHECK(wire::parse_command_complete(as_bytes("SET\0"sv)) == "SET"sv);
  CHECK_FALSE(wire::parse_command_complete(as_bytes("SET"sv)).has_value());
  CHECK_FALSE(wire::parse_command_complete(as_bytes("SET\0x"sv)).has_value());
  CHECK_FALSE(wire::parse_command_complete(as_bytes(""sv)).has_value());
}

TEST_CASE("parameter status: exactly a name and a value; the value may be empty") {
  const auto parse = [](std::string_view body) {
    return wire::parse_parameter_status(as_bytes(body));
  };
  CHECK(parse("TimeZone\0UTC\0"sv) == wire::NameValue{"TimeZone", "UTC"});
  CHECK(parse("application_name\0\0"sv) == wire::NameValue{"application_name", ""});
  for (const std::string_view body :
       {"TimeZone\0UTC"sv, "TimeZone\0"sv, "TimeZone"sv, ""sv, "\0UTC\0"sv, "TimeZone\0UTC\0x"sv}) {
    CHECK_FALSE(parse(body).has_value());
  }
}

TEST_CASE("backend key data: a secret of 4 to 256 bytes") {
  const auto parse = [](const std::string& body) {
    return wire::parse_backend_key_data(as_bytes(body));
  };
  const std::string pid = "\0\0\x12\x34"s;
  for (const std::size_t size : {4u, 5u, 32u, 256u}) {
    const std::string body = pid + std::string(size, 's');
    const auto key = parse(body);
    REQUIRE(key.has_value());
    CHECK(key->pid == 0x1234);
    CHECK(key->secret.size() == size);
  }
  for (const std::size_t size : {0u, 3u, 257u, 5000u}) {
    CHECK_FALSE(parse(pid + std::string(size, 's')).has_value());
  }
  CHECK_FALSE(parse("\0\0"s).has_value());
}
