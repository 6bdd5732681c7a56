#include "wire/scram_secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <span>

#include "wire/base64.h"
#include "wire/limits.h"
#include "wire/random.h"

namespace wire {
namespace {

constexpr std::size_t salt_size = 16;
constexpr std::size_t raw_nonce_size = 18;  // a multiple of 3: no padding in the nonce

const unsigned char* unsigned_data(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

bool fits_int(std::size_t size) {
  return size <= static_cast<std::size_t>(std::numeric_limits<int>::max());
}

// Takes the text before `separator` off `rest`. Nullopt: there is none.
std::optional<std::string_view> take_until(std::string_view& rest, char separator) {
  const std::size_t at = rest.find(separator);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at + 1);
  return taken;
}

std::optional<std::string> random_bytes(std::size_t size) {
  std::string bytes(size, '\0');
  if (!fill_random(std::as_writable_bytes(std::span{bytes.data(), bytes.size()}))) {
    return std::nullopt;
  }
  return bytes;
}

}  // namespace

std::optional<ScramKey> scram_hmac(std::string_view key, std::string_view text) {
  ScramKey result;
  if (!fits_int(key.size())) return std::nullopt;
  const unsigned char* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                                   unsigned_data(text), text.size(), result.data(), nullptr);
  if (done == nullptr) return std::nullopt;
  return result;
}

std::optional<ScramKey> scram_hmac(const ScramKey& key, std::string_view text) {
  return scram_hmac(scram_key_text(key), text);
}

std::optional<ScramKey> scram_hash(const ScramKey& key) {
  ScramKey result;
  if (EVP_Digest(key.data(), key.size(), result.data(), nullptr, EVP_sha256(), nullptr) != 1) {
    return std::nullopt;
  }
  return result;
}

ScramKey scram_xor(const ScramKey& a, const ScramKey& b) {
  ScramKey result;
  for (std::size_t i = 0; i < result.size(); ++i) {
    result[i] = static_cast<unsigned char>(a[i] ^ b[i]);
  }
  return result;
}

bool scram_equal(const ScramKey& a, const ScramKey& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string_view scram_key_text(const ScramKey& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

std::optional<ScramKey> scram_key_from_base64(std::string_view text) {
  const std::optional<std::string> bytes = base64_decode(text);
  ScramKey key;
  if (!bytes || bytes->size() != key.size()) return std::nullopt;
  std::transform(bytes->begin(), bytes->end(), key.begin(),
                 [](char c) { return static_cast<unsigned char>(c); });
  return key;
}

std::optional<ScramSecret> parse_scram_secret(std::string_view text) {
  std::string_view rest = text;
  const std::optional<std::string_view> mechanism = take_until(rest, '$');
  const std::optional<std::string_view> iterations = take_until(rest, ':');
  const std::optional<std::string_view> salt_text = take_until(rest, '$');
  const std::optional<std::string_view> stored_key_text = take_until(rest, ':');
  if (!stored_key_text || !salt_text || !iterations || mechanism != scram_mechanism) {
    return std::nullopt;
  }
  const std::optional<std::string> salt = base64_decode(*salt_text);
  const std::optional<ScramKey> stored_key = scram_key_from_base64(*stored_key_text);
  const std::optional<ScramKey> server_key = scram_key_from_base64(rest);
  if (!salt || salt->empty() || salt->size() > scram_salt_size_max) return std::nullopt;
  if (!stored_key || !server_key) return std::nullopt;

  ScramSecret secret;
  const char* end = iterations->data() + iterations->size();
  const auto [at, error] = std::from_chars(iterations->data(), end, secret.iterations);
  if (error != std::errc{} || at != end) return std::nullopt;
  if (secret.iterations < 1 || secret.iterations > scram_iterations_max) return std::nullopt;
  secret.salt = *salt;
  secret.stored_key = *stored_key;
  secret.server_key = *server_key;
  return secret;
}

std::string format_scram_secret(const ScramSecret& secret) {
  std::string text(scram_mechanism);
  text.append("$").append(std::to_string(secret.iterations));
  text.append(":").append(base64_encode(secret.salt));
  text.append("$").append(base64_encode(scram_key_text(secret.stored_key)));
  text.append(":").append(base64_encode(scram_key_text(secret.server_key)));
  return text;
}

std::optional<ScramKeys> scram_keys_from_password(std::string_view password, std::string_view salt,
                                                  std::uint32_t iterations) {
  if (iterations < 1 || iterations > scram_iterations_max) return std::nullopt;
  if (salt.empty() || !fits_int(salt.size()) || !fits_int(password.size())) return std::nullopt;
  ScramKey salted_password;
  const int done =
      PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), unsigned_data(salt),
                        static_cast<int>(salt.size()), static_cast<int>(iterations), EVP_sha256(),
                        static_cast<int>(salted_password.size()), salted_password.data());
  if (done != 1) return std::nullopt;
  const std::optional<ScramKey> client_key = scram_hmac(salted_password, "Client Key");
  const std::optional<ScramKey> server_key = scram_hmac(salted_password, "Server Key");
  OPENSSL_cleanse(salted_password.data(), salted_password.size());
  if (!client_key || !server_key) return std::nullopt;
  return ScramKeys{*client_key, *server_key};
}

std::optional<ScramSecret> scram_secret_from_password(std::string_view password,
                                                      std::string_view salt,
                                                      std::uint32_t iterations) {
  const std::optional<ScramKeys> keys = scram_keys_from_password(password, salt, iterations);
  if (!keys) return std::nullopt;
  const std::optional<ScramKey> stored_key = scram_hash(keys->client_key);
  if (!stored_key) return std::nullopt;
  return ScramSecret{iterations, std::string(salt), *stored_key, keys->server_key};
}

bool scram_keys_match(const ScramKeys& keys, const ScramSecret& secret) {
  const std::optional<ScramKey> stored_key = scram_hash(keys.client_key);
  if (!stored_key) return false;
  return scram_equal(*stored_key, secret.stored_key) &&
         scram_equal(keys.server_key, secret.server_key);
}

std::optional<ScramSecret> scram_mock_secret(std::string_view user, std::string_view process_secret,
                                             std::uint32_t iterations) {
  // Keyed, so that nobody outside can compute it and see that a salt is a mock.
  const std::optional<ScramKey> salt = scram_hmac(process_secret, "salt " + std::string(user));
  const std::optional<ScramKey> stored = scram_hmac(process_secret, "stored " + std::string(user));
  const std::optional<ScramKey> server = scram_hmac(process_secret, "server " + std::string(user));
  if (!salt || !stored || !server) return std::nullopt;
  return ScramSecret{iterations, std::string(scram_key_text(*salt).substr(0, salt_size)), *stored,
                     *server};
}

std::optional<std::string> make_scram_nonce() {
  const std::optional<std::string> bytes = random_bytes(raw_nonce_size);
  if (!bytes) return std::nullopt;
  return base64_encode(*bytes);
}

std::optional<std::string> make_scram_salt() { return random_bytes(salt_size); }

}  // namespace wire
