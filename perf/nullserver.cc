// A PostgreSQL server that answers at once and does nothing: what is left of a benchmark is the
// pooler and pgbench.
//
// usage: nullserver PORT [UNIX_SOCKET_FOLDER]     prints "ready" when it listens, ends by SIGTERM.
//
// One thread, epoll, level-triggered. Any user may log in. Every query gets one row with one
// column; transactions are followed as far as ReadyForQuery's status needs. Not a model for
// pgring's own code and no judge of input: it serves pgbench on the same machine and closes what it
// does not understand. docs: protocol-flow, protocol-message-formats.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

using namespace std::string_view_literals;

constexpr std::uint32_t ssl_request = 80877103;
constexpr std::uint32_t gssenc_request = 80877104;
constexpr std::uint32_t cancel_request = 80877102;
constexpr std::size_t header_size = 5;  // type and length
constexpr std::size_t receive_size = std::size_t{64} * 1024;
constexpr std::uint32_t message_size_max = 64 * 1024 * 1024;

struct Peer {
  int fd = -1;
  bool started = false;
  bool blocked = false;  // epoll also watches for room to write
  char status = 'I';
  std::string user;
  std::string statement;  // the text of the unnamed or last parsed statement
  std::unordered_map<std::string, std::string> named;
  std::string input;
  std::string output;
};

std::uint32_t load_be32(std::string_view bytes) {
  std::uint32_t value = 0;
  for (std::size_t at = 0; at < 4; ++at) {
    value = value << 8 | static_cast<std::uint8_t>(bytes[at]);
  }
  return value;
}

std::string be32(std::size_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>(value >> shift & 0xFF));
  }
  return bytes;
}

void say(Peer& peer, char type, std::string_view body) {
  peer.output.push_back(type);
  peer.output += be32(body.size() + 4);
  peer.output += body;
}

void say_parameter(Peer& peer, std::string_view name, std::string_view value) {
  std::string body{name};
  body.push_back('\0');
  body += value;
  body.push_back('\0');
  say(peer, 'S', body);
}

void say_ready(Peer& peer) { say(peer, 'Z', std::string_view{&peer.status, 1}); }

void say_complete(Peer& peer, std::string_view tag) {
  std::string body{tag};
  body.push_back('\0');
  say(peer, 'C', body);
}

void say_row_description(Peer& peer) {
  // One column "n", of no table, int4 in text.
  say(peer, 'T', "\0\1n\0\0\0\0\0\0\0\0\0\0\x17\0\4\xff\xff\xff\xff\0\0"sv);
}

void log_in(Peer& peer) {
  peer.started = true;
  say(peer, 'R', "\0\0\0\0"sv);
  constexpr std::array<std::array<std::string_view, 2>, 12> parameters{{
      {"server_version", "15.0"},
      {"server_encoding", "UTF8"},
      {"client_encoding", "UTF8"},
      {"application_name", ""},
      {"is_superuser", "off"},
      {"session_authorization", "null"},
      {"DateStyle", "ISO, MDY"},
      {"IntervalStyle", "postgres"},
      {"TimeZone", "UTC"},
      {"integer_datetimes", "on"},
      {"in_hot_standby", "off"},
      {"standard_conforming_strings", "on"},
  }};
  for (const auto& [name, value] : parameters) say_parameter(peer, name, value);
  say(peer, 'K', "\0\0\0\1\0\0\0\1"sv);
  say_ready(peer);
}

bool starts_with_word(std::string_view text, std::string_view word) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\n')) text.remove_prefix(1);
  if (text.size() < word.size()) return false;
  for (std::size_t at = 0; at < word.size(); ++at) {
    if ((text[at] | 0x20) != word[at]) return false;
  }
  return true;
}

bool has_rows(std::string_view text) {
  return starts_with_word(text, "select") || starts_with_word(text, "show");
}

// The answer to one execution, without its row description.
void run(Peer& peer, std::string_view text) {
  if (has_rows(text)) {
    say(peer, 'D',
        "\0\1\0\0\0\1"
        "1"sv);
    say_complete(peer, "SELECT 1");
  } else if (starts_with_word(text, "begin") || starts_with_word(text, "start")) {
    peer.status = 'T';
    say_complete(peer, "BEGIN");
  } else if (starts_with_word(text, "commit") || starts_with_word(text, "end")) {
    peer.status = 'I';
    say_complete(peer, "COMMIT");
  } else if (starts_with_word(text, "rollback")) {
    peer.status = 'I';
    say_complete(peer, "ROLLBACK");
  } else if (starts_with_word(text, "update")) {
    say_complete(peer, "UPDATE 1");
  } else if (starts_with_word(text, "insert")) {
    say_complete(peer, "INSERT 0 1");
  } else {
    say_complete(peer, "SET");
  }
}

// What pgring asks of a session from time to time (src/server/server_audit.cc): nothing is set in it.
bool is_audit(std::string_view text) { return text.starts_with("SELECT 's'"); }

void run_audit(Peer& peer) {
  std::string row{"\0\3\0\0\0\1u\0\0\0\0\0\0\0"sv};
  row += static_cast<char>(std::min<std::size_t>(peer.user.size(), 63));
  row += peer.user.substr(0, 63);
  say(peer, 'D', row);
  say_complete(peer, "SELECT 1");
}

void run_simple(Peer& peer, std::string_view body) {
  const std::string_view text = body.substr(0, body.find('\0'));
  if (is_audit(text)) {
    run_audit(peer);
    return say_ready(peer);
  }
  if (text.find_first_not_of(" ;\n") == std::string_view::npos) {
    say(peer, 'I', {});
  } else {
    if (has_rows(text)) say_row_description(peer);
    run(peer, text);
  }
  say_ready(peer);
}

// The string that begins at `at`, which moves behind its terminator.
std::string_view next_string(std::string_view body, std::size_t& at) {
  const std::size_t end = std::min(body.find('\0', at), body.size());
  const std::string_view text = body.substr(at, end - at);
  at = std::min(end + 1, body.size());
  return text;
}

void parse(Peer& peer, std::string_view body) {
  std::size_t at = 0;
  const std::string name{next_string(body, at)};
  peer.named[name] = next_string(body, at);
  say(peer, '1', {});
}

void bind(Peer& peer, std::string_view body) {
  std::size_t at = 0;
  (void)next_string(body, at);  // the portal: there is one
  peer.statement = peer.named[std::string{next_string(body, at)}];
  say(peer, '2', {});
}

void describe(Peer& peer, std::string_view body) {
  const bool is_statement = body.starts_with('S');
  std::string_view text = peer.statement;
  if (is_statement) {
    std::size_t at = 1;
    text = peer.named[std::string{next_string(body, at)}];
    say(peer, 't', "\0\0"sv);
  }
  if (has_rows(text)) {
    say_row_description(peer);
  } else {
    say(peer, 'n', {});
  }
}

// False: the peer said goodbye or something this server does not know.
bool answer(Peer& peer, char type, std::string_view body) {
  switch (type) {
    case 'Q':
      run_simple(peer, body);
      return true;
    case 'P':
      parse(peer, body);
      return true;
    case 'B':
      bind(peer, body);
      return true;
    case 'D':
      describe(peer, body);
      return true;
    case 'E':
      run(peer, peer.statement);
      return true;
    case 'C':
      say(peer, '3', {});
      return true;
    case 'S':
      say_ready(peer);
      return true;
    case 'H':
      return true;
    default:
      return false;
  }
}

bool answer_startup(Peer& peer, std::string_view body) {
  if (body.size() < 4) return false;
  const std::uint32_t code = load_be32(body);
  if (code == cancel_request) return false;
  if (code == ssl_request || code == gssenc_request) {
    peer.output.push_back('N');
  } else {
    // Names and values follow, each ended by a NUL.
    for (std::size_t at = 4; at < body.size();) {
      const std::size_t name_end = std::min(body.find('\0', at), body.size());
      const std::string_view name = body.substr(at, name_end - at);
      const std::size_t value_at = std::min(name_end + 1, body.size());
      const std::size_t value_end = std::min(body.find('\0', value_at), body.size());
      if (name == "user") peer.user = body.substr(value_at, value_end - value_at);
      at = value_end + 1;
    }
    log_in(peer);
  }
  return true;
}

// Answers every complete message in `input`; false ends the connection.
bool answer_all(Peer& peer) {
  std::string_view rest = peer.input;
  while (true) {
    const std::size_t prefix = peer.started ? header_size : header_size - 1;
    if (rest.size() < prefix) break;
    const std::uint32_t length = load_be32(rest.substr(prefix - 4));
    if (length < 4 || length > message_size_max) return false;
    const std::size_t size = prefix - 4 + std::size_t{length};
    if (rest.size() < size) break;
    const std::string_view body = rest.substr(prefix, size - prefix);
    const bool goes_on =
        peer.started ? answer(peer, rest.front(), body) : answer_startup(peer, body);
    if (!goes_on) return false;
    rest.remove_prefix(size);
  }
  peer.input.erase(0, peer.input.size() - rest.size());
  return true;
}

// Writes what it can; the rest waits for EPOLLOUT. False: the peer is gone.
bool flush(int epoll, Peer& peer) {
  std::size_t sent = 0;
  while (sent < peer.output.size()) {
    const ssize_t done =
        send(peer.fd, peer.output.data() + sent, peer.output.size() - sent, MSG_NOSIGNAL);
    if (done < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return false;
      break;
    }
    sent += static_cast<std::size_t>(done);
  }
  peer.output.erase(0, sent);
  const bool blocked = !peer.output.empty();
  if (blocked == peer.blocked) return true;
  peer.blocked = blocked;
  epoll_event event{};
  event.events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.ptr = &peer;
  return epoll_ctl(epoll, EPOLL_CTL_MOD, peer.fd, &event) == 0;
}

bool receive(Peer& peer) {
  std::array<char, receive_size> bytes{};
  const ssize_t size = recv(peer.fd, bytes.data(), bytes.size(), 0);
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  if (size == 0) return false;
  peer.input.append(bytes.data(), static_cast<std::size_t>(size));
  return answer_all(peer);
}

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  ::_exit(1);
}

int listen_tcp(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) fail("bind");
  if (listen(fd, 4096) != 0) fail("listen");
  return fd;
}

int listen_unix(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    std::fputs("nullserver: the socket's path is too long\n", stderr);
    ::_exit(1);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size());
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    fail(path.c_str());
  if (listen(fd, 4096) != 0) fail("listen");
  return fd;
}

void accept_peer(int epoll, int listener, std::unordered_map<int, std::unique_ptr<Peer>>& peers) {
  const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;  // the peer has left already, or a limit: the next event tries again
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // refused on Unix sockets: no matter
  auto& peer = peers[fd] = std::make_unique<Peer>();
  peer->fd = fd;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = peer.get();
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

void serve(int epoll, const std::array<int, 2>& listeners) {
  std::unordered_map<int, std::unique_ptr<Peer>> peers;
  std::array<Peer, 2> listening;  // epoll data of the listeners
  for (std::size_t at = 0; at < listeners.size(); ++at) {
    if (listeners[at] < 0) continue;
    listening[at].fd = listeners[at];
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &listening[at];
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listeners[at], &event) != 0) fail("epoll_ctl");
  }
  std::array<epoll_event, 256> events{};
  while (true) {
    const int count = epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (std::size_t at = 0; at < static_cast<std::size_t>(count < 0 ? 0 : count); ++at) {
      Peer& peer = *static_cast<Peer*>(events[at].data.ptr);
      if (&peer == &listening[0] || &peer == &listening[1]) {
        accept_peer(epoll, peer.fd, peers);
        continue;
      }
      const bool readable = (events[at].events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0;
      if ((readable && !receive(peer)) || !flush(epoll, peer)) {
        close(peer.fd);
        peers.erase(peer.fd);
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const long port = argc > 1 ? std::strtol(argv[1], nullptr, 10) : 0;
  if (port <= 0 || port > 65535 || argc > 3) {
    std::fputs("usage: nullserver PORT [UNIX_SOCKET_FOLDER]\n", stderr);
    return 2;
  }
  const int tcp = listen_tcp(static_cast<std::uint16_t>(port));
  const int local =
      argc == 3 ? listen_unix(std::string{argv[2]} + "/.s.PGSQL." + std::to_string(port)) : -1;
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) fail("epoll_create1");
  std::puts("ready");
  std::fflush(stdout);
  serve(epoll, {tcp, local});
}
