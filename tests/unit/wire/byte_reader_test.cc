#include "wire/byte_reader.h"

#include <doctest/doctest.h>

#include <string_view>

using namespace std::string_view_literals;
using wire::ByteReader;

TEST_CASE("byte reader: numbers are big-endian and strings end at their zero") {
  ByteReader reader("\x01\x02\x03\x04\x05\x06\x07name\0rest"sv);
  CHECK(reader.read_u8() == 0x01);
  CHECK(reader.read_u16() == 0x0203);
  CHECK(reader.read_u32() == 0x04050607);
  CHECK(reader.read_cstring() == "name"sv);
  CHECK(wire::as_text(reader.read_bytes(4)) == "rest");
  CHECK(reader.at_end());
}

TEST_CASE("byte reader: after one read that does not fit nothing is read any more") {
  ByteReader reader("\0\0\0"sv);
  CHECK(reader.read_u32() == 0);
  CHECK_FALSE(reader.ok());
  CHECK(reader.remaining() == 0);
  CHECK_FALSE(reader.read_cstring().has_value());
  CHECK(reader.read_u8() == 0);
  CHECK_FALSE(reader.at_end());
}

TEST_CASE("byte reader: a string without a zero is a failure, an empty one is not") {
  ByteReader unterminated("abc"sv);
  CHECK_FALSE(unterminated.read_cstring().has_value());
  CHECK_FALSE(unterminated.ok());
  ByteReader empty("\0"sv);
  CHECK(empty.read_cstring() == ""sv);
  CHECK(empty.at_end());
}

TEST_CASE("CVE-2026-6664: a length near the top of its type does not wrap the bounds check") {
  ByteReader reader("\xff\xff\xff\xff____"sv);
  const std::size_t length = reader.read_u32();
  CHECK(reader.read_bytes(length).empty());
  CHECK_FALSE(reader.ok());
  ByteReader other("____"sv);
  CHECK(other.read_bytes(static_cast<std::size_t>(-1)).empty());
  CHECK_FALSE(other.ok());
}
