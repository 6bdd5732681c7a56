#include "src/auth/stored_secret.h"

#include <charconv>
#include <optional>

namespace pgring {
namespace {

constexpr std::string_view scram_prefix = "SCRAM-SHA-256$";
constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base64_digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::size_t key_base64_size = 44;  // 32 bytes of SHA-256

bool is_md5(std::string_view text) {
  return text.size() == 35 && text.starts_with("md5") &&
         text.find_first_not_of(hex_digits, 3) == std::string_view::npos;
}

bool is_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return false;
  const std::size_t digits = text.find_first_not_of(base64_digits);
  if (digits == std::string_view::npos) return true;
  const std::string_view padding = text.substr(digits);
  return padding == "=" || padding == "==";
}

// Takes the text up to `separator` off the front.
std::optional<std::string_view> take_until(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end + 1);
  return part;
}

bool is_iteration_count(std::string_view text) {
  std::int32_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  return error == std::errc{} && end == text.data() + text.size() && count >= 1;
}

bool is_key(std::string_view text) { return text.size() == key_base64_size && is_base64(text); }

}  // namespace

Result<SecretKind, std::string> classify_secret(std::string_view text) {
  if (text.empty()) return SecretKind::none;
  if (is_md5(text)) return SecretKind::md5;
  if (!text.starts_with(scram_prefix)) return SecretKind::plain;

  text.remove_prefix(scram_prefix.size());
  const auto iterations = take_until(text, ':');
  const auto salt = take_until(text, '$');
  const auto stored_key = take_until(text, ':');
  const char* wrong = !iterations || !salt || !stored_key ? "a part is missing"
                      : !is_iteration_count(*iterations)  ? "the iteration count is not a number"
                      : !is_base64(*salt)                 ? "the salt is not base64"
                      : !is_key(*stored_key) || !is_key(text)
                          ? "a key is not 44 characters of base64"
                          : nullptr;
  if (wrong == nullptr) return SecretKind::scram_sha_256;
  return Unexpected(std::string("the SCRAM secret is damaged: ") + wrong +
                    " (expected SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>)");
}

}  // namespace pgring
