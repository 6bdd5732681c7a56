#include "wire/startup.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

#include "tests/unit/wire/bytes.h"
#include "wire/limits.h"
#include "wire/message_builder.h"

using namespace std::string_literals;
using namespace std::string_view_literals;
using wire::StartupKind;
using wire::StartupScanKind;

namespace {

auto parse(std::string_view packet) { return wire::parse_startup(wire::as_bytes(packet)); }
auto scan(std::string_view input) { return wire::scan_startup(wire::as_bytes(input)); }

std::string packet(std::uint32_t version, std::string_view body) {
  wire::MessageBuilder builder;
  builder.begin_untyped();
  builder.put_u32(version);
  builder.put_bytes(body);
  REQUIRE(builder.end());
  return builder.take();
}

std::string startup(std::string_view body) { return packet(wire::protocol_version_3_0, body); }

void check_refused(std::string_view bytes, std::string_view sqlstate, std::string_view message) {
  const wire::Startup refused = parse(bytes);
  CHECK(refused.kind == StartupKind::refused);
  CHECK(refused.error.sqlstate == sqlstate);
  CHECK(refused.error.message == message);
}

constexpr std::string_view layout =
    "invalid startup packet layout: expected terminator as last byte";
constexpr std::string_view no_user = "no PostgreSQL user name specified in startup packet";
constexpr std::string_view bad_length = "invalid length of startup packet";

}  // namespace

TEST_CASE("startup: a packet cut at any byte needs more, whole it is measured") {
  const std::string bytes = startup("user\0u\0database\0d\0\0"sv) + "Q";
  const std::size_t size = bytes.size() - 1;
  for (std::size_t cut = 0; cut < size; ++cut) {
    CAPTURE(cut);
    CHECK(scan(std::string_view(bytes).substr(0, cut)).kind == StartupScanKind::need_more);
    CHECK(parse(std::string_view(bytes).substr(0, cut)).kind == StartupKind::refused);
  }
  CHECK(scan(bytes).kind == StartupScanKind::packet);
  CHECK(scan(bytes).size == size);
  CHECK(parse(bytes).kind == StartupKind::refused);  // one byte too many was handed in
}

TEST_CASE("CVE-2026-6664: a length outside 8 to 10004 is malformed from its four bytes on") {
  for (const std::string_view bytes :
       {"\0\0\0\0"sv, "\0\0\0\4"sv, "\0\0\0\7"sv, "\0\0\x27\x15"sv, "\x7f\xff\xff\xff"sv,
        "\x80\0\0\0"sv, "\xff\xff\xff\xff"sv, "GET "sv, "\x16\x03\x01\x02"sv}) {
    CHECK(scan(bytes).kind == StartupScanKind::malformed);
    CHECK(scan(bytes).reason == bad_length);
    CHECK(scan(bytes.substr(0, 3)).kind == StartupScanKind::need_more);
  }
  CHECK(scan("\0\0\0\x08"sv).kind == StartupScanKind::need_more);
  CHECK(scan("\0\0\x27\x14"sv).kind == StartupScanKind::need_more);
}

TEST_CASE("startup: parameters keep their order, protocol options are apart") {
  const std::string bytes =
      startup("user\0ann\0_pq_.x\0001\0TimeZone\0UTC\0application_name\0\0\0"sv);
  const wire::Startup parsed = parse(bytes);
  REQUIRE(parsed.kind == StartupKind::StartupMessage);
  const wire::StartupMessage& message = parsed.message;
  REQUIRE(message.parameters.size() == 3);
  CHECK(message.parameters[0] == wire::NameValue{"user", "ann"});
  CHECK(message.parameters[1] == wire::NameValue{"TimeZone", "UTC"});
  CHECK(message.parameters[2] == wire::NameValue{"application_name", ""});
  REQUIRE(message.protocol_options.size() == 1);
  CHECK(message.protocol_options[0] == wire::NameValue{"_pq_.x", "1"});
  CHECK(message.needs_negotiation());
  CHECK(message.user() == "ann");
  CHECK(message.database() == "ann");
  CHECK_FALSE(message.find("absent").has_value());
}

TEST_CASE("startup: of a name given twice the last value counts, and an empty database is none") {
  const std::string bytes = startup("user\0a\0user\0b\0database\0\0\0"sv);
  const wire::Startup parsed = parse(bytes);
  REQUIRE(parsed.kind == StartupKind::StartupMessage);
  CHECK(parsed.message.user() == "b");
  CHECK(parsed.message.database() == "b");
  CHECK_FALSE(parsed.message.needs_negotiation());
}

TEST_CASE("startup: a layout PostgreSQL refuses is refused with its words") {
  for (const std::string_view body :
       {""sv, "user\0u\0"sv, "user\0u"sv, "user\0"sv, "user"sv, "\0user\0u\0\0"sv,
        "user\0u\0\0\0"sv, "user\0u\0\0x"sv, "user\0u\0\0\0v\0\0"sv, "user\0u\0x\0\0"sv}) {
    CAPTURE(body.size());
    check_refused(startup(body), "08P01", layout);
  }
}

TEST_CASE("startup: without a user it is refused") {
  check_refused(startup("\0"sv), "28000", no_user);
  check_refused(startup("user\0\0\0"sv), "28000", no_user);
  check_refused(startup("database\0d\0\0"sv), "28000", no_user);
}

TEST_CASE("startup: other major versions are refused, newer minor ones are negotiated") {
  check_refused(packet(2u << 16, "user\0u\0\0"sv), "0A000",
                "unsupported frontend protocol 2.0: server supports 3.0 to 3.2");
  check_refused(packet((4u << 16) | 7, "user\0u\0\0"sv), "0A000",
                "unsupported frontend protocol 4.7: server supports 3.0 to 3.2");
  check_refused(packet((1234u << 16) | 5681, ""), "0A000",
                "unsupported frontend protocol 1234.5681: server supports 3.0 to 3.2");
  const std::string newer = packet((3u << 16) | 9999, "user\0u\0\0"sv);
  const wire::Startup parsed = parse(newer);
  REQUIRE(parsed.kind == StartupKind::StartupMessage);
  CHECK(parsed.message.protocol_minor == 9999);
  CHECK(parsed.message.needs_negotiation());
}

TEST_CASE("startup: up to 3.2 a minor version is spoken as asked, of newer ones 3.2 is") {
  for (const std::uint32_t minor : {0u, 1u, 2u, 3u, 9999u}) {
    CAPTURE(minor);
    const std::string bytes = packet((3u << 16) | minor, "user\0u\0\0"sv);
    const wire::Startup parsed = parse(bytes);
    REQUIRE(parsed.kind == StartupKind::StartupMessage);
    CHECK(parsed.message.needs_negotiation() == (minor > 2));
    CHECK(parsed.message.minor_spoken() == std::min(minor, 2u));
  }
}

TEST_CASE("startup: SSLRequest and GSSENCRequest are eight bytes and no more") {
  CHECK(parse("\0\0\0\x08\x04\xd2\x16\x2f"sv).kind == StartupKind::SSLRequest);
  CHECK(parse("\0\0\0\x08\x04\xd2\x16\x30"sv).kind == StartupKind::GSSENCRequest);
  check_refused("\0\0\0\x09\x04\xd2\x16\x2fx"sv, "08P01", bad_length);
  check_refused("\0\0\0\x09\x04\xd2\x16\x30x"sv, "08P01", bad_length);
}

TEST_CASE("CVE-2021-3935: the packet of an SSLRequest ends before bytes injected behind it") {
  const auto found = scan("\0\0\0\x08\x04\xd2\x16\x2finjected"sv);
  CHECK(found.kind == StartupScanKind::packet);
  CHECK(found.size == 8);
}

TEST_CASE("startup: a cancel request has a pid and 4 to 256 bytes of secret") {
  for (const std::size_t size : {4u, 32u, 256u}) {
    const std::string bytes =
        packet(wire::cancel_request_code, "\0\0\x30\x39"s + std::string(size, 'k'));
    const wire::Startup parsed = parse(bytes);
    REQUIRE(parsed.kind == StartupKind::CancelRequest);
    CHECK(parsed.cancel.pid == 12345);
    CHECK(wire::as_text(parsed.cancel.secret) == std::string(size, 'k'));
  }
  for (const std::size_t size : {0u, 3u, 257u}) {
    const std::string bytes =
        packet(wire::cancel_request_code, "\0\0\x30\x39"s + std::string(size, 'k'));
    check_refused(bytes, "08P01", bad_length);
    CHECK(parse(bytes).is_cancel);
  }
  check_refused(packet(wire::cancel_request_code, "\0\0\0"sv), "08P01", bad_length);
}

TEST_CASE("CVE-2012-4575: a database name as long as the packet allows is just a name") {
  const std::string name(9900, 'd');
  const std::string bytes = startup("user\0u\0database\0"s + name + "\0\0"s);
  const wire::Startup parsed = parse(bytes);
  REQUIRE(parsed.kind == StartupKind::StartupMessage);
  CHECK(parsed.message.database() == name);
}

TEST_CASE("startup: what is written for a server is read as a client's") {
  std::string out;
  constexpr wire::NameValue parameters[] = {{"user", "u"}, {"database", "d"}};
  wire::append_startup(out, parameters);
  const wire::Startup parsed = parse(out);
  REQUIRE(parsed.kind == StartupKind::StartupMessage);
  CHECK(parsed.message.database() == "d");
}

TEST_CASE("startup: random bodies are refused or read, and what is read has a user") {
  std::mt19937 random(6);
  int accepted = 0;
  for (int i = 0; i < 100000; ++i) {
    const std::string body = "user\0"s + wire_test::random_text(random, 12, "\0\0ab"sv);
    const std::string bytes = startup(body);
    const wire::Startup parsed = parse(bytes);
    if (parsed.kind == StartupKind::refused) continue;
    ++accepted;
    REQUIRE_FALSE(parsed.message.user().empty());
    for (const auto& [name, value] : parsed.message.parameters) REQUIRE_FALSE(name.empty());
  }
  CHECK(accepted > 100);
  for (int i = 0; i < 20000; ++i) {
    const std::string bytes = wire_test::random_bytes(random, 40);
    CHECK(scan(bytes).kind != StartupScanKind::packet);
    CHECK(parse(bytes).kind == StartupKind::refused);
  }
}
