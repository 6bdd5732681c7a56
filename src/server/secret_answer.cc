#include "src/server/secret_answer.h"

#include <array>
#include <string_view>
#include <utility>

#include "wire/byte_reader.h"

namespace pgring {
namespace {

constexpr std::uint16_t columns_wanted = 2;
constexpr std::uint32_t null_size = 0xffffffff;

FoundSecret none(std::string why) { return {.secret = {}, .why_none = std::move(why)}; }

FoundSecret judged(std::string_view secret) {
  if (secret.size() > found_secret_size_max)
    return none("auth.query gave a secret of " + std::to_string(secret.size()) + " bytes");
  const auto kind = classify_secret(secret);
  if (!kind) return none("auth.query: " + kind.error());
  if (*kind == SecretKind::none) return none("auth.query gave an empty secret");
  return {.secret = {Secret{secret}, *kind}, .why_none = {}};
}

}  // namespace

void SecretAnswer::restart() {
  columns_.reset();
  rows_ = 0;
  found_ = {};
}

void SecretAnswer::row_description(std::span<const std::byte> body) {
  wire::ByteReader reader{body};
  const std::uint16_t count = reader.read_u16();
  if (reader.ok()) columns_ = count;
}

void SecretAnswer::data_row(std::span<const std::byte> body) {
  ++rows_;
  wire::ByteReader reader{body};
  std::array<std::optional<std::string_view>, columns_wanted> values;
  if (reader.read_u16() != columns_wanted) {
    found_ = none("auth.query's row cannot be read");
    return;
  }
  for (auto& value : values) {
    const std::uint32_t size = reader.read_u32();
    if (size != null_size) value = wire::as_text(reader.read_bytes(size));
  }
  if (!reader.at_end()) {
    found_ = none("auth.query's row cannot be read");
  } else if (!values[0]) {
    found_ = none("auth.query gave no role");
  } else if (*values[0] != role_) {
    // Or the secret of another role would let its owner in as this one (CVE-2015-6817).
    found_ = none("auth.query answered about another role");
  } else if (!values[1]) {
    found_ = none("auth.query gave no secret: the role has none, or VALID UNTIL is over");
  } else {
    found_ = judged(*values[1]);
  }
}

Result<FoundSecret, std::string> SecretAnswer::finish() {
  if (!columns_) return Unexpected(std::string{"auth.query returns no rows: it is no SELECT"});
  if (*columns_ != columns_wanted) {
    return Unexpected("auth.query returns " + std::to_string(*columns_) +
                      (*columns_ == 1 ? " column" : " columns") +
                      ", and has to return two: the role and its secret");
  }
  if (rows_ == 0) return none("auth.query knows no such role");
  if (rows_ > 1) return none("auth.query gave more than one row");
  return std::move(found_);
}

}  // namespace pgring
