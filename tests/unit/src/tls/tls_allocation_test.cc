// The hot path's rule is that a record allocates nothing. OpenSSL does not wholly keep it: it allocates the
// bookkeeping of a few dozen bytes with which it writes a header (WPACKET_SUB), up to three times for a record. What
// is held here is that this is all: no buffer, and nothing of the engine's. OpenSSL's allocations are counted for
// the whole test program.
#include <doctest/doctest.h>
#include <openssl/crypto.h>

#include <cstdlib>

#include "tests/unit/src/tls/engine_pair.h"

namespace pgring::test {
namespace {

// Of OpenSSL's bookkeeping, in OpenSSL 3.0.
constexpr std::size_t small_max = 64;
constexpr std::uint64_t small_per_call_max = 3;

thread_local std::uint64_t allocations = 0;
thread_local std::uint64_t large_allocations = 0;

void count(std::size_t size) {
  ++allocations;
  if (size > small_max) ++large_allocations;
}

void* counted_malloc(std::size_t size, const char*, int) {
  count(size);
  return std::malloc(size);
}

void* counted_realloc(void* memory, std::size_t size, const char*, int) {
  count(size);
  return std::realloc(memory, size);
}

void counted_free(void* memory, const char*, int) { std::free(memory); }

// OpenSSL takes it before its first allocation only.
const bool counting = CRYPTO_set_mem_functions(counted_malloc, counted_realloc, counted_free) == 1;

TEST_CASE(
    "tls engine: neither a record received nor one sent allocates a buffer, in either version") {
  REQUIRE(counting);
  const Authority authority;
  TlsScratch scratch{};
  std::string text(1000, 'x');
  const std::array<iovec, 2> ranges{iovec{text.data(), 20}, iovec{text.data(), text.size()}};
  std::vector<std::byte> cipher(TlsEngine::record_room);
  std::vector<std::byte> plain(TlsEngine::record_room);
  for (const TlsVersion version : {TlsVersion::tls1_2, TlsVersion::tls1_3}) {
    TlsOptions options = authority.for_servers(TlsMode::require);
    options.max_version = version;
    EnginePair pair{options, authority.for_clients()};
    pair.shake_hands();
    REQUIRE(pair.open());
    REQUIRE(allocations > 0);  // they are counted at all
    const auto exchange = [&](TlsEngine& from, TlsEngine& to) {
      const auto sent = from.send(ranges, cipher, scratch);
      const auto received = to.receive(std::span{cipher}.first(sent.cipher), plain);
      CHECK(received.plain == text.size() + 20);
    };
    exchange(*pair.client, *pair.server);
    exchange(*pair.server, *pair.client);
    const std::uint64_t before = allocations;
    const std::uint64_t large_before = large_allocations;
    constexpr std::uint64_t rounds = 1000;
    for (std::uint64_t i = 0; i < rounds; ++i) {
      exchange(*pair.client, *pair.server);
      exchange(*pair.server, *pair.client);
    }
    CHECK(large_allocations - large_before == 0);
    CHECK(allocations - before <= 4 * rounds * small_per_call_max);
    // Given back, buffers are allocated again, so that the count can fail.
    CHECK(pair.server->release_buffers());
    exchange(*pair.client, *pair.server);
    CHECK(large_allocations - large_before > 0);
  }
}

}  // namespace
}  // namespace pgring::test
