#include "src/tls/engine_bio.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>

#include "src/base/check.h"
#include "src/tls/tls_engine.h"

namespace pgring {

struct EngineBio {
  static TlsEngine& engine(BIO* bio) { return *static_cast<TlsEngine*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* into, std::size_t size, std::size_t* count) {
    TlsEngine& self = engine(bio);
    BIO_clear_retry_flags(bio);
    *count = std::min(size, self.input_.size());
    if (*count == 0) {
      BIO_set_retry_read(bio);
      return 0;
    }
    std::memcpy(into, self.input_.data(), *count);
    self.input_ = self.input_.subspan(*count);
    return 1;
  }

  static int write(BIO* bio, const char* data, std::size_t size, std::size_t* count) {
    TlsEngine& self = engine(bio);
    BIO_clear_retry_flags(bio);
    const std::span bytes = std::as_bytes(std::span{data, size});
    // In order: behind what waits already.
    const std::size_t direct = self.wants_write() ? 0 : std::min(size, self.output_.size());
    if (direct > 0) {
      std::memcpy(self.output_.data(), data, direct);
      self.output_ = self.output_.subspan(direct);
    }
    const auto rest = bytes.subspan(direct);
    self.waiting_.insert(self.waiting_.end(), rest.begin(), rest.end());
    *count = size;
    return 1;
  }

  // What OpenSSL asks a BIO besides; 0 is "no such thing".
  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  // One for the process; OpenSSL keeps no count of its users.
  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = [] {
      BIO_METHOD* const fresh =
          BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "pgring TLS engine");
      POOLER_CHECK(fresh != nullptr);
      POOLER_CHECK(BIO_meth_set_read_ex(fresh, read) == 1);
      POOLER_CHECK(BIO_meth_set_write_ex(fresh, write) == 1);
      POOLER_CHECK(BIO_meth_set_ctrl(fresh, control) == 1);
      return fresh;
    }();
    return made;
  }
};

void attach_bio(TlsEngine& engine, ssl_st* ssl) {
  BIO* const bio = BIO_new(EngineBio::method());
  POOLER_CHECK(bio != nullptr);
  BIO_set_data(bio, &engine);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl, bio, bio);  // both ways; takes the one reference
}

}  // namespace pgring
