// PostgreSQL's answers to auth.query: one row of the role and its secret, or the reason why there is none.
#include "src/server/secret_answer.h"

#include <doctest/doctest.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/byte_reader.h"
#include "wire/framer.h"
#include "wire/message_builder.h"

using namespace pgring;

namespace {

using Row = std::vector<std::optional<std::string_view>>;
constexpr std::string_view md5 = "md50123456789abcdef0123456789abcdef";

std::string row_body(const Row& row) {
  std::string message;
  wire::append_data_row(message, row);
  return message.substr(wire::Framer::header_size);
}

std::string description_body(std::uint16_t columns) {
  return {static_cast<char>(columns >> 8), static_cast<char>(columns & 0xff)};
}

Result<FoundSecret, std::string> answer(std::uint16_t columns, const std::vector<Row>& rows) {
  SecretAnswer reader{"app"};
  reader.row_description(wire::as_bytes(description_body(columns)));
  for (const Row& row : rows) reader.data_row(wire::as_bytes(row_body(row)));
  return reader.finish();
}

std::string why_none(const std::vector<Row>& rows) {
  const auto found = answer(2, rows);
  REQUIRE(found);
  CHECK(found->secret.kind == SecretKind::none);
  CHECK(found->secret.text.empty());
  return found->why_none;
}

}  // namespace

TEST_CASE("secret answer: the role's own row is its secret, of the kind it has") {
  const auto found = answer(2, {{"app", md5}});
  REQUIRE(found);
  CHECK(found->secret.kind == SecretKind::md5);
  CHECK(found->secret.text.reveal() == md5);
  CHECK(answer(2, {{"app", "open sesame"}})->secret.kind == SecretKind::plain);
}

TEST_CASE("secret answer: no row, no name, no secret is no secret") {
  CHECK(why_none({}) == "auth.query knows no such role");
  CHECK(why_none({{std::nullopt, md5}}) == "auth.query gave no role");
  CHECK(why_none({{"app", std::nullopt}}) ==
        "auth.query gave no secret: the role has none, or VALID UNTIL is over");
  CHECK(why_none({{"app", ""}}) == "auth.query gave an empty secret");
}

TEST_CASE("secret answer: another role's secret is nobody's") {
  CHECK(why_none({{"postgres", md5}}) == "auth.query answered about another role");
  CHECK(why_none({{"App", md5}}) == "auth.query answered about another role");
}

TEST_CASE("secret answer: two rows are as good as none") {
  CHECK(why_none({{"app", md5}, {"app", md5}}) == "auth.query gave more than one row");
}

TEST_CASE("secret answer: a damaged or huge secret is none") {
  CHECK(why_none({{"app", "SCRAM-SHA-256$4096:salt"}}).starts_with("auth.query: the SCRAM secret"));
  const std::string huge(found_secret_size_max + 1, 'x');
  CHECK(why_none({{"app", huge}}) == "auth.query gave a secret of 1025 bytes");
}

TEST_CASE("secret answer: a query of another shape is an error of every role") {
  CHECK(answer(1, {}).error() ==
        "auth.query returns 1 column, and has to return two: the role and its secret");
  CHECK(answer(3, {{"app", md5, "x"}}).error() ==
        "auth.query returns 3 columns, and has to return two: the role and its secret");
  SecretAnswer nothing{"app"};
  CHECK(nothing.finish().error() == "auth.query returns no rows: it is no SELECT");
}

TEST_CASE("secret answer: a row cut anywhere, or with more behind it, is no secret") {
  const std::string whole = row_body({"app", md5});
  for (std::size_t size = 0; size <= whole.size() + 1; ++size) {
    CAPTURE(size);
    SecretAnswer reader{"app"};
    reader.row_description(wire::as_bytes(description_body(2)));
    std::string cut = whole.substr(0, size);
    if (size > whole.size()) cut += 'x';
    reader.data_row(wire::as_bytes(cut));
    const auto found = reader.finish();
    REQUIRE(found);
    CHECK((found->secret.kind != SecretKind::none) == (size == whole.size()));
    if (size != whole.size()) CHECK_FALSE(found->why_none.empty());
  }
}

TEST_CASE("secret answer: asked again it begins anew") {
  SecretAnswer reader{"app"};
  reader.row_description(wire::as_bytes(description_body(2)));
  reader.data_row(wire::as_bytes(row_body({"app", md5})));
  reader.restart();
  reader.row_description(wire::as_bytes(description_body(2)));
  const auto found = reader.finish();
  REQUIRE(found);
  CHECK(found->why_none == "auth.query knows no such role");
}
