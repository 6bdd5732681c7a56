#include "wire/limits.h"

#include <doctest/doctest.h>

#include <string_view>

TEST_CASE("limits: every byte is a message type with PostgreSQL's limit, or none") {
  const std::string_view large = "BFPQd";
  const std::string_view small = "CDEHSXcf";
  for (int byte = 0; byte < 256; ++byte) {
    const char type = static_cast<char>(byte);
    CAPTURE(byte);
    std::uint32_t expected = 0;
    if (large.find(type) != large.npos) expected = 0x3fffffff - 1;
    if (small.find(type) != small.npos) expected = 10000;
    if (type == 'p') expected = 65535;
    CHECK(wire::max_frontend_message_length(type) == expected);
  }
}
