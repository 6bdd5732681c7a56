// Two engines that talk to each other in memory, and what they are made from.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "src/tls/tls_engine.h"
#include "tests/unit/src/tls/certificates.h"

namespace pgring::test {

[[nodiscard]] std::chrono::sys_seconds now();

// A CA, a server's certificate for "db.example" and a client's for "alice", in files.
class Authority {
 public:
  explicit Authority(KeyKind key = KeyKind::ec);

  [[nodiscard]] const Identity& ca() const { return ca_; }
  [[nodiscard]] const TestFolder& folder() const { return folder_; }
  // Writes them, and says so in options.
  void use(TlsOptions& options, const Identity& identity, std::string_view chain = {}) const;

  // Towards clients: the server's certificate. Towards servers: nothing of its own. No CA.
  [[nodiscard]] TlsOptions for_clients() const;
  [[nodiscard]] TlsOptions for_servers(TlsMode mode) const;
  [[nodiscard]] const std::string& ca_file() const { return ca_file_; }
  [[nodiscard]] const Identity& client() const { return client_; }

 private:
  TestFolder folder_;
  Identity ca_;
  Identity server_;
  Identity client_;
  std::string ca_file_;
  mutable int count_ = 0;
};

// REQUIREs that it loads.
[[nodiscard]] std::shared_ptr<const TlsContext> context(TlsSide side, const TlsOptions& options);

enum class Place : std::uint8_t { apart, in_place };

// All that waits in drain().
[[nodiscard]] std::string drained(TlsEngine& engine);
// Feeds `cipher` in pieces of at most `piece` bytes; returns the plaintext. CHECKs what receive() promises.
[[nodiscard]] std::string fed(TlsEngine& engine, std::string_view cipher, std::size_t piece,
                              Place place = Place::apart, std::size_t room = 20000);
// Encrypts all of it, with room for `room` bytes of ciphertext at a time.
[[nodiscard]] std::string sealed(TlsEngine& engine, std::string_view plain,
                                 std::size_t room = TlsEngine::record_room);

struct EnginePair {
  std::unique_ptr<TlsEngine> client;
  std::unique_ptr<TlsEngine> server;

  EnginePair(const TlsOptions& towards_server, const TlsOptions& towards_clients,
             std::string host = "db.example",
             TlsEngine::Start start = TlsEngine::Start::negotiated);
  // Until nobody has anything to say. CHECKs that no plaintext comes of it.
  void shake_hands(std::size_t piece = 100000);
  [[nodiscard]] bool open() const { return client->is_open() && server->is_open(); }
};

}  // namespace pgring::test
