// One connection's TLS, without a socket: ciphertext in and plaintext out, and the other way round. Hot path:
// receive() and send() run once per buffer and once per record.
//
// What:   drives one OpenSSL connection over ranges of the caller's memory. What was received is read from where
//         it lies, what is to be sent is encrypted into where the caller wants it; only what nobody asked for at
//         that moment (handshake, alerts) is kept in a buffer of the engine's until drain().
// Owner:  the connection, by unique_ptr: OpenSSL knows the engine's address. One thread at a time; it may move to
//         another thread between two calls (a client or a server connection that changes its shard).
// Life:   ranges are borrowed for the call. The context is shared and kept.
// Work:   one call handles at most what it is given: one buffer received, one record per call of OpenSSL sent.
//         While handshaking one call is one step, and the one in which we sign costs what a signature does; in an
//         open session at most `control_max` records that are not data are handled in one call.
// Memory: no buffer is allocated per record (OpenSSL 3.0 itself allocates 40 bytes up to three times to write a
//         header). An open connection holds 46 to 49 KiB in OpenSSL, 14 to 17 KiB after release_buffers(), which
//         the owner calls when the connection rests: the two record buffers are most of it. OpenSSL's own
//         SSL_MODE_RELEASE_BUFFERS would free and allocate them at every record.
// Errors: state() is failed, failure() says why in words for the log; the alert that tells the peer waits in
//         drain(). Nothing is to be called any more but drain().
// Source: RFC 8446, RFC 5246; SSL_read(3), SSL_get_error(3), SSL_set_mode(3).
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"
#include "src/tls/certificate.h"
#include "src/tls/tls_context.h"

struct bio_st;
struct ssl_st;

namespace pgring {

// Where small messages are put together to a record. One per thread, lent for a call.
struct TlsScratch {
  std::array<std::byte, std::size_t{16} * 1024> bytes;
};

class TlsEngine {
 public:
  enum class State : std::uint8_t {
    handshaking,
    open,
    closing,  // one side has said that it sends no more (close_notify); the other still may
    closed,   // both have
    failed,
  };
  // How TLS began. Direct: without an SSLRequest; then both sides must agree on "postgresql" by ALPN, else a
  // server of another protocol could be made to answer (PostgreSQL 17).
  enum class Start : std::uint8_t { negotiated, direct };

  struct Received {
    std::size_t consumed = 0;  // of what was received
    std::size_t plain = 0;     // bytes of plaintext written
    // There is more to do without anything new being received: plaintext had no room. Call again with the rest of
    // the input, which may be empty, and room elsewhere.
    bool more = false;
  };
  struct Sent {
    std::size_t taken = 0;   // bytes of plaintext, over all ranges
    std::size_t cipher = 0;  // bytes of ciphertext written
  };

  static constexpr std::size_t record_plain_max = std::size_t{16} * 1024;
  // More than any cipher adds to a record, with a key update before it.
  static constexpr std::size_t record_overhead_max = 128;
  // Room for the largest record.
  static constexpr std::size_t record_room = record_plain_max + record_overhead_max;

  // To a client whose handshake comes next. REQUIRES: context->side() == to_clients.
  [[nodiscard]] static std::unique_ptr<TlsEngine> accept(std::shared_ptr<const TlsContext> context,
                                                         Start start);
  // To the server that `host` names, as configured: for verify_full and SNI. Its first bytes wait in drain().
  // REQUIRES: context->side() == to_servers.
  [[nodiscard]] static std::unique_ptr<TlsEngine> connect(std::shared_ptr<const TlsContext> context,
                                                          std::string host, Start start);

  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;
  ~TlsEngine();

  // Takes what was received and writes plaintext, in order. `plain` is either memory of its own or begins where
  // `input` does: then plaintext replaces ciphertext, and never more is written than has been read. What
  // comes behind the peer's close_notify, or after a failure, is consumed and dropped.
  [[nodiscard]] Received receive(std::span<const std::byte> input, std::span<std::byte> plain);

  // Encrypts from the beginning of `ranges`, small ones put together, until `cipher` has no room for another
  // record or all is taken. What waits in drain() goes first. Nothing is taken while handshaking, or after
  // close(). REQUIRES: cipher.size() > record_overhead_max.
  [[nodiscard]] Sent send(std::span<const iovec> ranges, std::span<std::byte> cipher,
                          TlsScratch& scratch);

  // Ciphertext that waits on its own account. After connect(), receive() and close().
  [[nodiscard]] bool wants_write() const { return waiting_.size() > drained_; }
  // Moves as much of it as there is room for; returns how much.
  [[nodiscard]] std::size_t drain(std::span<std::byte> cipher);

  // We send no more: a close_notify waits in drain(). Once only counts.
  void close();

  // Gives OpenSSL's record buffers back to the allocator until they are needed again. False: something is in them.
  bool release_buffers();

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool is_open() const { return state_ == State::open; }
  // The peer said that it sends no more. An end of stream without that was made by somebody else, or by a peer
  // that was killed.
  [[nodiscard]] bool peer_closed() const { return peer_closed_; }
  // Why state() is failed; empty otherwise. "could not accept SSL connection: unsupported protocol".
  [[nodiscard]] const std::string& failure() const { return failure_; }
  // Where the failure is that the two sides have no version in common: what to tell the operator. Else empty.
  [[nodiscard]] std::string failure_hint() const;

  [[nodiscard]] const TlsContext& context() const { return *context_; }
  [[nodiscard]] const std::shared_ptr<const TlsContext>& shared_context() const { return context_; }

  // The rest REQUIRES that the handshake is over: is_open() has been true.
  [[nodiscard]] std::string_view version() const;  // "TLSv1.3"
  [[nodiscard]] std::string_view cipher() const;   // "TLS_AES_256_GCM_SHA384"
  [[nodiscard]] int cipher_bits() const;
  // "TLSv1.3/TLS_AES_256_GCM_SHA384", for SHOW CLIENTS and SHOW SERVERS.
  [[nodiscard]] std::string description() const;
  // What a client asked for by SNI; empty: nothing.
  [[nodiscard]] std::string_view server_name() const;
  // tls-server-end-point: of our certificate towards clients, of the server's towards servers.
  [[nodiscard]] ChannelBinding channel_binding() const;
  // The peer's verified certificate: nothing if it sent none, or if ours to verify it is not configured.
  [[nodiscard]] std::optional<Result<PeerNames, std::string>> peer() const;

 private:
  friend struct EngineBio;
  enum class Read : std::uint8_t { data, nothing, end };

  TlsEngine(std::shared_ptr<const TlsContext> context, std::string host, Start start);
  static constexpr std::uint32_t control_max = 32;
  static constexpr std::size_t handshake_bytes_max = std::size_t{256} * 1024;

  void handshake_step();
  void handshake_done();
  [[nodiscard]] bool may_read() const {
    return (state_ == State::open || state_ == State::closing) && !peer_closed_;
  }
  [[nodiscard]] Read read(std::span<std::byte> plain, bool peek, std::size_t& count);
  void fill(std::span<std::byte> plain, bool in_place, Received& done);
  [[nodiscard]] std::size_t consumed() const { return input_size_ - input_.size(); }
  void fail(std::string what);
  void fail_by_openssl(int outcome);

  std::shared_ptr<const TlsContext> context_;
  ssl_st* ssl_ = nullptr;
  std::string host_;  // towards a server; until the handshake is over

  // During a call: what is left of the input, and of the room for ciphertext.
  std::span<const std::byte> input_;
  std::size_t input_size_ = 0;
  std::span<std::byte> output_;

  std::vector<std::byte> waiting_;  // ciphertext that had no room, from drained_ on
  std::size_t drained_ = 0;
  std::size_t handshake_bytes_ = 0;  // received so far
  std::string failure_;
  bool version_mismatch_ = false;
  State state_ = State::handshaking;
  Start start_;
  bool carries_ =
      true;  // a record may have begun in an earlier call, or plaintext waits in OpenSSL
  bool peer_closed_ = false;
  bool close_sent_ = false;
};

}  // namespace pgring
