#include "wire/md5.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "wire/byte_reader.h"

namespace wire {
namespace {

constexpr std::string_view prefix = "md5";
constexpr std::size_t digest_size = 16;
constexpr std::size_t secret_size = 3 + 2 * digest_size;

bool is_hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::optional<std::string> md5_prefixed_hex(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<unsigned char, digest_size> digest{};
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_md5(), nullptr) != 1) {
    return std::nullopt;
  }
  std::string hex(prefix);
  for (const unsigned char byte : digest) {
    hex.push_back(digits[byte >> 4]);
    hex.push_back(digits[byte & 15]);
  }
  return hex;
}

}  // namespace

bool is_md5_secret(std::string_view text) noexcept {
  return text.size() == secret_size && text.starts_with(prefix) &&
         std::all_of(text.begin() + prefix.size(), text.end(), is_hex_digit);
}

std::optional<std::string> md5_secret(std::string_view password, std::string_view user) {
  std::string text(password);
  text.append(user);
  std::optional<std::string> secret = md5_prefixed_hex(text);
  OPENSSL_cleanse(text.data(), text.size());
  return secret;
}

std::optional<std::string> md5_response(std::string_view secret,
                                        std::span<const std::byte, 4> salt) {
  if (!is_md5_secret(secret)) return std::nullopt;
  std::string text(secret.substr(prefix.size()));
  text.append(as_text(salt));
  return md5_prefixed_hex(text);
}

Md5Verdict verify_md5_response(std::string_view secret, std::span<const std::byte, 4> salt,
                               std::string_view response) {
  const std::optional<std::string> expected = md5_response(secret, salt);
  if (!expected) return Md5Verdict::unavailable;
  if (response.size() != expected->size()) return Md5Verdict::mismatch;
  const bool equal = CRYPTO_memcmp(response.data(), expected->data(), expected->size()) == 0;
  return equal ? Md5Verdict::match : Md5Verdict::mismatch;
}

}  // namespace wire
