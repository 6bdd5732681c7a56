// The engine against another implementation's programs: `openssl s_client` and `openssl s_server`.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/src/tls/engine_pair.h"

namespace pgring::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds patience{30};

class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_{descriptor} { REQUIRE(descriptor >= 0); }
  ~Descriptor() { ::close(descriptor_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

// `openssl` with these arguments; what it writes goes to a file. Ended and waited for at the end.
class Program {
 public:
  Program(std::vector<std::string> arguments, const std::string& output, const std::string& input) {
    std::string name = "openssl";
    std::vector<char*> pointers{name.data()};
    for (auto& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    REQUIRE(::posix_spawn_file_actions_init(&actions) == 0);
    REQUIRE(::posix_spawn_file_actions_addopen(&actions, 0, input.c_str(), O_RDONLY, 0) == 0);
    REQUIRE(::posix_spawn_file_actions_addopen(&actions, 1, output.c_str(),
                                               O_WRONLY | O_CREAT | O_TRUNC, 0600) == 0);
    REQUIRE(::posix_spawn_file_actions_adddup2(&actions, 1, 2) == 0);
    REQUIRE(::posix_spawnp(&pid_, "openssl", &actions, nullptr, pointers.data(), environ) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
  }
  ~Program() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

 private:
  pid_t pid_ = -1;
};

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  return address;
}

void write_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    REQUIRE(count > 0);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

// Runs the engine on the socket until `enough` says so or the peer is gone; returns the plaintext.
template <class Enough>
std::string run(TlsEngine& engine, int socket, Enough enough) {
  std::string plain;
  const auto until = Clock::now() + patience;
  while (!enough(plain)) {
    if (engine.wants_write()) write_all(socket, drained(engine));
    if (engine.state() == TlsEngine::State::failed) break;
    REQUIRE(Clock::now() < until);
    pollfd readable{.fd = socket, .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, 1000) <= 0) continue;
    std::array<char, 4096> some{};
    const ssize_t count = ::recv(socket, some.data(), some.size(), 0);
    if (count <= 0) break;
    plain += fed(engine, {some.data(), static_cast<std::size_t>(count)}, 4096, Place::in_place);
  }
  if (engine.wants_write()) write_all(socket, drained(engine));
  return plain;
}

TEST_CASE("tls counterpart: openssl s_client verifies us, sends its certificate, and talks") {
  const Authority authority;
  const TestFolder& folder = authority.folder();
  const std::string path = folder.path("socket");
  const Descriptor listener{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const sockaddr_un address = address_of(path);
  REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listener.get(), 4) == 0);
  TlsOptions options = authority.for_clients();
  options.mode = TlsMode::verify_ca;
  options.ca_file = authority.ca_file();
  TlsOptions client;
  authority.use(client, authority.client());
  std::string text(100000, 'x');
  text += "\nend\n";
  const std::string input = folder.write("input", text);
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    INFO(std::string{version});
    const std::string output = folder.path("output");
    const Program program{
        {"s_client", "-unix", path, version, "-alpn", "postgresql", "-CAfile", authority.ca_file(),
         "-verify_return_error", "-verify_hostname", "db.example", "-servername", "db.example",
         "-cert", client.cert_file, "-key", client.key_file},
        output,
        input};
    const Descriptor socket{::accept(listener.get(), nullptr, nullptr)};
    const auto engine =
        TlsEngine::accept(context(TlsSide::to_clients, options), TlsEngine::Start::direct);
    const std::string plain =
        run(*engine, socket.get(), [&](const std::string&) { return engine->peer_closed(); });
    CHECK(engine->failure().empty());
    CHECK(plain == text);
    CHECK(engine->peer_closed());
    const auto peer = engine->peer();
    REQUIRE(peer.has_value());
    REQUIRE(peer->has_value());
    CHECK((*peer)->common_name == "alice");
    engine->close();
    write_all(socket.get(), drained(*engine));
    CHECK(engine->state() == TlsEngine::State::closed);
  }
}

TEST_CASE("tls counterpart: openssl s_client is refused below our version") {
  const Authority authority;
  const TestFolder& folder = authority.folder();
  const std::string path = folder.path("socket");
  const Descriptor listener{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const sockaddr_un address = address_of(path);
  REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(listener.get(), 4) == 0);
  const Program program{{"s_client", "-unix", path, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"},
                        folder.path("output"),
                        "/dev/null"};
  const Descriptor socket{::accept(listener.get(), nullptr, nullptr)};
  const auto engine = TlsEngine::accept(context(TlsSide::to_clients, authority.for_clients()),
                                        TlsEngine::Start::negotiated);
  (void)run(*engine, socket.get(), [](const std::string&) { return false; });
  CHECK(engine->failure() == "could not accept SSL connection: unsupported protocol");
}

TEST_CASE("tls counterpart: openssl s_server is verified and answers") {
  const Authority authority;
  const TestFolder& folder = authority.folder();
  const TlsOptions server = authority.for_clients();
  for (const char* version : {"-tls1_2", "-tls1_3"}) {
    INFO(std::string{version});
    // Short: s_server prints it through getnameinfo, which has room for 31 bytes.
    const std::string path = folder.path(std::string{version}.substr(6));
    // -rev answers each line backwards; it gives session tickets, too.
    const Program program{{"s_server", "-unix", path, version, "-alpn", "postgresql", "-cert",
                           server.cert_file, "-key", server.key_file, "-rev"},
                          folder.path("output"),
                          "/dev/null"};
    const Descriptor socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const sockaddr_un address = address_of(path);
    const auto until = Clock::now() + patience;
    while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) !=
           0) {
      REQUIRE(Clock::now() < until);
      std::this_thread::sleep_for(std::chrono::milliseconds{20});
    }
    TlsOptions options = authority.for_servers(TlsMode::verify_full);
    options.ca_file = authority.ca_file();
    const auto engine = TlsEngine::connect(context(TlsSide::to_servers, options), "db.example",
                                           TlsEngine::Start::direct);
    (void)run(*engine, socket.get(), [&](const std::string&) { return engine->is_open(); });
    REQUIRE(engine->failure().empty());
    for (int i = 0; i < 100; ++i) {
      write_all(socket.get(), sealed(*engine, "there and back\n"));
      const std::string answer =
          run(*engine, socket.get(), [](const std::string& got) { return got.ends_with('\n'); });
      REQUIRE(answer == "kcab dna ereht\n");
    }
    engine->close();
    write_all(socket.get(), drained(*engine));
    (void)run(*engine, socket.get(), [&](const std::string&) { return engine->peer_closed(); });
    CHECK(engine->failure().empty());
  }
}

}  // namespace
}  // namespace pgring::test
