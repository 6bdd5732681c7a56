#include "wire/cancel_secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "wire/check.h"
#include "wire/random.h"

namespace wire {
namespace {

constexpr std::size_t hash_size = 32;
static_assert(cancel_secret_size_3_2 <= hash_size && cancel_secret_size_min <= hash_size);

}  // namespace

CancelSecrets::CancelSecrets() { WIRE_CHECK(fill_random(key_)); }

std::string CancelSecrets::secret(std::uint32_t pid, std::uint64_t serial, std::size_t size) const {
  WIRE_CHECK(size == cancel_secret_size_min || size == cancel_secret_size_3_2,
             static_cast<long long>(size));
  std::array<unsigned char, 13> name{};  // pid, serial, size
  for (std::size_t i = 0; i < 4; ++i) name[i] = static_cast<unsigned char>(pid >> (8 * i));
  for (std::size_t i = 0; i < 8; ++i) name[4 + i] = static_cast<unsigned char>(serial >> (8 * i));
  name[12] = static_cast<unsigned char>(size);
  std::array<unsigned char, hash_size> hash{};
  WIRE_CHECK(HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), name.data(),
                  name.size(), hash.data(), nullptr) != nullptr);
  return {reinterpret_cast<const char*>(hash.data()), size};
}

bool CancelSecrets::matches(std::span<const std::byte> claimed, std::uint32_t pid,
                            std::uint64_t serial, std::size_t size) const {
  const std::string right = secret(pid, serial, size);
  return claimed.size() == right.size() &&
         CRYPTO_memcmp(claimed.data(), right.data(), right.size()) == 0;
}

}  // namespace wire
