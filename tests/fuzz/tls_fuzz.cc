// The TLS engine on either side, fed with anything: before, within and after the handshake.
//
// The first byte says what is fed: 0 a server and 1 a client that just began get the rest as it is; in 2 the
// rest changes bytes of a real handshake, in 3 and 4 bytes of real data to a server and to a client. The second byte
// says in how large pieces.
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "src/tls/openssl_handle.h"
#include "src/tls/tls_engine.h"

namespace {

using pgring::TlsContext;
using pgring::TlsEngine;

void require(bool condition) {
  if (!condition) std::abort();
}

// A file in memory that has a name.
std::string memory_file(std::string_view text) {
  const int descriptor = ::memfd_create("tls_fuzz", 0);
  require(descriptor >= 0);
  require(::fchmod(descriptor, 0600) == 0);
  require(::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  return "/proc/self/fd/" + std::to_string(descriptor);
}

std::string taken(BIO* memory) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  return {data, static_cast<std::size_t>(size)};
}

struct Contexts {
  std::shared_ptr<const TlsContext> server;
  std::shared_ptr<const TlsContext> client;
};

Contexts make_contexts() {
  const pgring::KeyHandle key{EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")};
  const pgring::CertificateHandle certificate{X509_new()};
  X509* const made = certificate.get();
  require(X509_set_version(made, X509_VERSION_3) == 1);
  require(X509_gmtime_adj(X509_getm_notBefore(made), -3600) != nullptr);
  require(X509_gmtime_adj(X509_getm_notAfter(made), 365L * 24 * 3600) != nullptr);
  const std::array<unsigned char, 3> name{'d', 'b', '\0'};
  require(X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC, name.data(),
                                     2, -1, 0) == 1);
  require(X509_set_issuer_name(made, X509_get_subject_name(made)) == 1);
  require(X509_set_pubkey(made, key.get()) == 1);
  require(X509_sign(made, key.get(), EVP_sha256()) > 0);
  const pgring::BioHandle certificate_text{BIO_new(BIO_s_mem())};
  const pgring::BioHandle key_text{BIO_new(BIO_s_mem())};
  require(PEM_write_bio_X509(certificate_text.get(), made) == 1);
  require(PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr,
                                   nullptr) == 1);
  const std::string certificate_file = memory_file(taken(certificate_text.get()));
  // Both sides have a certificate and ask for one, so that all of it is parsed.
  const pgring::TlsOptions options{.mode = pgring::TlsMode::verify_full,
                                   .cert_file = certificate_file,
                                   .key_file = memory_file(taken(key_text.get())),
                                   .ca_file = certificate_file};
  const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
  auto server = TlsContext::load(pgring::TlsSide::to_clients, options, now);
  auto client = TlsContext::load(pgring::TlsSide::to_servers, options, now);
  require(server.has_value() && client.has_value());
  return {*server, *client};
}

std::string drained(TlsEngine& engine) {
  std::string all;
  std::array<std::byte, 500> some{};
  while (const std::size_t count = engine.drain(some))
    all.append(reinterpret_cast<const char*>(some.data()), count);
  require(!engine.wants_write());
  return all;
}

// In place or apart by turns; all that receive() promises must hold.
std::string fed(TlsEngine& engine, std::string_view cipher, std::size_t piece) {
  std::string plain;
  std::vector<std::byte> elsewhere(64);
  for (bool in_place = true; !cipher.empty(); in_place = !in_place) {
    const std::string_view part = cipher.substr(0, piece);
    cipher.remove_prefix(part.size());
    std::vector<std::byte> buffer(part.size());
    std::ranges::copy(std::as_bytes(std::span{part}), buffer.begin());
    std::span<const std::byte> input{buffer};
    std::span<std::byte> into = in_place ? std::span{buffer} : std::span{elsewhere};
    for (;;) {
      const bool own = into.data() == elsewhere.data();
      const TlsEngine::Received received = engine.receive(input, into);
      require(received.consumed <= input.size() && received.plain <= into.size());
      require(own || received.plain <= received.consumed);
      // It gets on, or it is the room in place that was none.
      require(!received.more || !own || received.plain > 0 || received.consumed > 0);
      plain.append(reinterpret_cast<const char*>(into.data()), received.plain);
      input = input.subspan(received.consumed);
      if (!received.more) break;
      into = elsewhere;
    }
    require(input.empty());
  }
  require(ERR_peek_error() == 0);
  require((engine.state() == TlsEngine::State::failed) == !engine.failure().empty());
  return plain;
}

std::string sealed(TlsEngine& engine, std::string_view plain) {
  pgring::TlsScratch scratch{};
  std::vector<std::byte> buffer(TlsEngine::record_room);
  const iovec range{const_cast<char*>(plain.data()), plain.size()};
  const TlsEngine::Sent sent = engine.send({&range, 1}, buffer, scratch);
  require(sent.taken == plain.size() && !engine.wants_write());
  return {reinterpret_cast<const char*>(buffer.data()), sent.cipher};
}

// Three bytes of the input change one of the text; every change may come only once.
class Changes {
 public:
  explicit Changes(std::string_view bytes) : bytes_{bytes} {}

  void apply(std::string& text) {
    while (bytes_.size() >= 3 && !text.empty()) {
      const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes_[i]); };
      const std::size_t at = (std::size_t{byte(0)} << 8U) + byte(1);
      if (at >= text.size()) {  // of what comes later
        bytes_.remove_prefix(3);
        return;
      }
      text[at] = static_cast<char>(static_cast<unsigned char>(text[at]) ^ byte(2));
      bytes_.remove_prefix(3);
    }
  }
  [[nodiscard]] std::string_view rest() const { return bytes_; }

 private:
  std::string_view bytes_;
};

void shake_hands(TlsEngine& client, TlsEngine& server, Changes& changes, std::size_t piece) {
  while (client.wants_write() || server.wants_write()) {
    std::string flight = drained(client);
    changes.apply(flight);
    require(fed(server, flight, piece).empty());
    flight = drained(server);
    changes.apply(flight);
    require(fed(client, flight, piece).empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Contexts contexts = make_contexts();
  if (size < 2) return 0;
  const std::string_view input{reinterpret_cast<const char*>(data) + 2, size - 2};
  const std::size_t piece = std::size_t{data[1]} * 8 + 1;
  const auto server = TlsEngine::accept(contexts.server, TlsEngine::Start::negotiated);
  const auto client = TlsEngine::connect(contexts.client, "db", TlsEngine::Start::direct);
  switch (data[0] % 5) {
    case 0:
    case 1: {
      TlsEngine& engine = data[0] % 5 == 0 ? *server : *client;
      require(fed(engine, input, piece).empty());
      require(!engine.is_open());
      break;
    }
    case 2: {
      Changes changes{input};
      shake_hands(*client, *server, changes, piece);
      // Whoever is still open has agreed with the other on every byte.
      if (client->is_open() && server->is_open())
        require(fed(*server, sealed(*client, "select 1"), piece) == "select 1");
      break;
    }
    default: {
      Changes none{{}};
      shake_hands(*client, *server, none, 4096);
      require(client->is_open() && server->is_open());
      const bool to_server = data[0] % 5 == 3;
      TlsEngine& from = to_server ? *client : *server;
      TlsEngine& to = to_server ? *server : *client;
      const std::string text = "first record" + std::string(300, 'x') + "second";
      std::string cipher = sealed(from, text.substr(0, 312));
      cipher += sealed(from, text.substr(312));
      Changes changes{input};
      changes.apply(cipher);
      cipher += changes.rest();
      // Whatever was changed: what passes is what was sent.
      require(text.starts_with(fed(to, cipher, piece)));
      break;
    }
  }
  server->close();
  client->close();
  (void)drained(*server);
  (void)drained(*client);
  return 0;
}
