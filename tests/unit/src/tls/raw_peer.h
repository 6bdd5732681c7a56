// OpenSSL itself as the engine's counterpart, over memory, doing what an engine never would.
#pragma once

#include <string>
#include <string_view>

#include "tests/unit/src/tls/engine_pair.h"

namespace pgring::test {

class RawPeer {
 public:
  enum class Role : std::uint8_t { client, server };

  // One version only. alpn: what it offers or chooses; nullptr: none.
  RawPeer(Role role, const Authority& authority, int version, const char* alpn = "postgresql");

  void shake_hands(TlsEngine& engine);
  // Gives what it wrote to the engine and takes the answer; returns the plaintext the engine got.
  std::string exchange(TlsEngine& engine);
  void write(std::string_view plain);
  [[nodiscard]] std::string receive(std::string_view cipher);

  void renegotiate();
  void update_key(bool answer_wanted);
  void resume(const RawPeer& earlier);
  [[nodiscard]] bool resumed() const { return SSL_session_reused(ssl_.get()) == 1; }
  [[nodiscard]] bool has_ticket() const;
  // The reason of the last failure of its own.
  [[nodiscard]] int last_error() const { return last_error_; }

 private:
  void note_error();

  SslContextHandle context_;
  std::unique_ptr<SSL, OpensslFree<SSL_free>> ssl_;
  BIO* incoming_;
  BIO* outgoing_;
  std::string alpn_;  // as the extension spells it
  int last_error_ = 0;
};

}  // namespace pgring::test
