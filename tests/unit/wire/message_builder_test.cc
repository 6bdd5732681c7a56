#include "wire/message_builder.h"

#include <doctest/doctest.h>

#include <array>
#include <string_view>

#include "wire/byte_reader.h"

using namespace std::string_view_literals;

TEST_CASE("message builder: the length counts itself and the body, not the type") {
  wire::MessageBuilder builder;
  builder.begin('Q');
  builder.put_cstring("select 1");
  CHECK(builder.end());
  builder.begin_untyped();
  builder.put_u32(80877103);
  CHECK(builder.end());
  CHECK(builder.view() == "Q\0\0\0\x0dselect 1\0\0\0\0\x08\x04\xd2\x16\x2f"sv);
}

TEST_CASE("message builder: numbers are big-endian, bytes are as given, old content stays") {
  wire::MessageBuilder builder("old");
  builder.begin('x');
  builder.put_u8(1);
  builder.put_u16(0x0203);
  builder.put_u32(0x04050607);
  builder.put_bytes("\0z"sv);
  CHECK(builder.end());
  CHECK(builder.take() == "oldx\0\0\0\x0d\x01\x02\x03\x04\x05\x06\x07\0z"sv);
  CHECK(builder.view().empty());
}

TEST_CASE("message builder: a zero byte in a string cannot begin another field") {
  std::string out;
  wire::append_parameter_status(out, "name", "value\0more"sv);
  CHECK(out == "S\0\0\0\x0fname\0value\0"sv);
}

TEST_CASE("message builder: messages of a server are laid out as documented") {
  std::string out;
  wire::append_authentication_ok(out);
  wire::append_authentication_cleartext(out);
  constexpr std::array salt = {std::byte{'s'}, std::byte{'a'}, std::byte{'l'}, std::byte{'t'}};
  wire::append_authentication_md5(out, salt);
  constexpr std::array mechanisms = {"SCRAM-SHA-256"sv};
  wire::append_authentication_sasl(out, mechanisms);
  wire::append_authentication_sasl_continue(out, "r=");
  wire::append_authentication_sasl_final(out, "v=");
  wire::append_backend_key_data(out, 7, salt);
  wire::append_ready_for_query(out, 'I');
  CHECK(out ==
        "R\0\0\0\x08\0\0\0\0"
        "R\0\0\0\x08\0\0\0\x03"
        "R\0\0\0\x0c\0\0\0\x05salt"
        "R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0"
        "R\0\0\0\x0a\0\0\0\x0br="
        "R\0\0\0\x0a\0\0\0\x0cv="
        "K\0\0\0\x0c\0\0\0\x07salt"
        "Z\0\0\0\x05I"sv);
}

TEST_CASE("message builder: results are laid out as documented") {
  std::string out;
  constexpr std::array columns = {wire::ColumnDescription{"a", 25, -1},
                                  wire::ColumnDescription{"b", 23, 4}};
  wire::append_row_description(out, columns);
  constexpr std::array<std::optional<std::string_view>, 3> values = {"x"sv, std::nullopt, ""sv};
  wire::append_data_row(out, values);
  wire::append_command_complete(out, "SHOW");
  wire::append_parse_complete(out);
  wire::append_bind_complete(out);
  wire::append_close_complete(out);
  wire::append_no_data(out);
  constexpr std::array<std::uint32_t, 1> oids = {25};
  wire::append_parameter_description(out, oids);
  wire::append_empty_query(out);
  CHECK(out ==
        "T\0\0\0\x2e\0\x02"
        "a\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0"
        "b\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0"
        "D\0\0\0\x13\0\x03\0\0\0\x01x\xff\xff\xff\xff\0\0\0\0"
        "C\0\0\0\x09SHOW\0"
        "1\0\0\0\x04"
        "2\0\0\0\x04"
        "3\0\0\0\x04"
        "n\0\0\0\x04"
        "t\0\0\0\x0a\0\x01\0\0\0\x19"
        "I\0\0\0\x04"sv);
}

TEST_CASE("message builder: errors always carry severity, SQLSTATE and message") {
  std::string out;
  wire::append_error_response(out, {"", "", "m", "", ""});
  wire::append_notice_response(out, {"", "", "m", "", ""});
  CHECK(out ==
        "E\0\0\0\x1dSERROR\0VERROR\0CXX000\0Mm\0\0"
        "N\0\0\0\x1fSNOTICE\0VNOTICE\0C00000\0Mm\0\0"sv);
}

TEST_CASE("message builder: the routine of an error is sent where there is one, behind the hint") {
  std::string out;
  wire::append_error_response(out, {"ERROR", "0A000", "m", "d", "h", "RevalidateCachedQuery"});
  wire::append_error_response(out, {"ERROR", "0A000", "m", "", "", ""});
  CHECK(out ==
        "E\0\0\0\x3aSERROR\0VERROR\0C0A000\0Mm\0Dd\0Hh\0RRevalidateCachedQuery\0\0"
        "E\0\0\0\x1dSERROR\0VERROR\0C0A000\0Mm\0\0"sv);
}

TEST_CASE("message builder: a message whose body is there already is passed on byte for byte") {
  std::string out = "old";
  wire::append_message(out, 'E', wire::as_bytes("SERROR\0\0"sv));
  wire::append_message(out, '1', {});
  CHECK(out ==
        "oldE\0\0\0\x0cSERROR\0\0"
        "1\0\0\0\x04"sv);
}

TEST_CASE("message builder: NegotiateProtocolVersion sends the whole version, as PostgreSQL does") {
  std::string out;
  constexpr std::array options = {wire::NameValue{"_pq_.a", "1"}};
  wire::append_negotiate_protocol_version(out, 0, options);
  CHECK(out == "v\0\0\0\x13\0\x03\0\0\0\0\0\x01_pq_.a\0"sv);
}

TEST_CASE("message builder: messages of a client are laid out as documented") {
  std::string out;
  constexpr std::array parameters = {wire::NameValue{"user", "u"}, wire::NameValue{"options", ""}};
  wire::append_startup(out, parameters);
  constexpr std::array secret = {std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  wire::append_cancel_request(out, 9, secret);
  wire::append_query(out, "");
  wire::append_sync(out);
  wire::append_terminate(out);
  wire::append_password_message(out, "pw");
  wire::append_sasl_initial_response(out, "M", "data");
  wire::append_sasl_response(out, "data");
  CHECK(out ==
        "\0\0\0\x19\0\x03\0\0user\0u\0options\0\0\0"
        "\0\0\0\x10\x04\xd2\x16\x2e\0\0\0\x09\x01\x02\x03\x04"
        "Q\0\0\0\x05\0"
        "S\0\0\0\x04"
        "X\0\0\0\x04"
        "p\0\0\0\x07pw\0"
        "p\0\0\0\x0eM\0\0\0\0\x04"
        "data"
        "p\0\0\0\x08"
        "data"sv);
}
