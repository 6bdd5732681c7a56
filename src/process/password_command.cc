#include "src/process/password_command.h"

#include <errno.h>
#include <fmt/format.h>
#include <poll.h>
#include <string.h>  // explicit_bzero
#include <termios.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <optional>
#include <system_error>
#include <utility>

#include "src/auth/stored_secret.h"
#include "src/auth/userlist.h"
#include "src/process/exit_code.h"
#include "wire/md5.h"
#include "wire/scram_secret.h"

namespace pgring {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void on_signal(int number) { interrupted = number; }

// What ends a program at a terminal ends its reading, so that the terminal can be put back. The signals are blocked
// but while input is waited for: one that came right before would be missed otherwise.
class Interruptible {
 public:
  Interruptible() {
    struct sigaction action{};
    action.sa_handler = on_signal;
    sigset_t blocked;
    sigemptyset(&blocked);
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      sigaddset(&blocked, numbers[i]);
      sigaction(numbers[i], &action, &before_[i]);
    }
    pthread_sigmask(SIG_BLOCK, &blocked, &mask_before_);
  }
  ~Interruptible() {
    pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
    for (std::size_t i = 0; i < numbers.size(); ++i) sigaction(numbers[i], &before_[i], nullptr);
  }
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;

  // False: a signal came.
  [[nodiscard]] bool wait_for_input() const {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    while (interrupted == 0) {
      if (ppoll(&input, 1, nullptr, &mask_before_) >= 0 || errno != EINTR) break;
    }
    return interrupted == 0;
  }

 private:
  static constexpr std::array<int, 5> numbers{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
  std::array<struct sigaction, numbers.size()> before_{};
  sigset_t mask_before_{};
};

class EchoOff {
 public:
  EchoOff() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent.c_lflag |= static_cast<tcflag_t>(ECHONL);
    is_off_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
  }
  ~EchoOff() {
    if (is_off_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  EchoOff(const EchoOff&) = delete;
  EchoOff& operator=(const EchoOff&) = delete;
  [[nodiscard]] bool is_off() const { return is_off_; }

 private:
  termios before_{};
  bool is_off_ = false;
};

// Up to the end of a line or of the input. Byte by byte: what is behind the line is not ours. `guard`: at a terminal.
Result<Secret, std::string> read_line(const Interruptible* guard) {
  std::string line;
  line.reserve(secret_size_max + 1);  // growing would leave copies behind
  std::optional<std::string> wrong;
  for (;;) {
    if (guard != nullptr && !guard->wait_for_input()) {
      wrong = "interrupted";
      break;
    }
    char byte = 0;
    const ssize_t got = ::read(STDIN_FILENO, &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) wrong = std::system_category().message(errno);
    if (got <= 0 || byte == '\n') break;
    if (line.size() == secret_size_max) {
      wrong = fmt::format("the password is longer than {} bytes", secret_size_max);
      break;
    }
    line += byte;
  }
  if (line.ends_with('\r')) line.pop_back();
  if (!wrong && line.empty()) wrong = "the password is empty";
  if (!wrong && line.find('\0') != std::string::npos) wrong = "the password has a zero byte";
  Secret secret{line};
  explicit_bzero(line.data(), line.size());
  if (wrong) return Unexpected(*wrong);
  return secret;
}

Result<Secret, std::string> ask(const std::string& prompt, const Interruptible& guard) {
  std::fputs(prompt.c_str(), stderr);
  std::fflush(stderr);
  return read_line(&guard);
}

Result<Secret, std::string> ask_twice(const std::string& role) {
  const Interruptible guard;
  const EchoOff silence;
  if (!silence.is_off()) return Unexpected(std::string("the terminal's echo cannot be put off"));
  auto first = ask(fmt::format("Password for role \"{}\": ", role), guard);
  if (!first) return first;
  const auto second = ask("Again: ", guard);
  if (!second) return Unexpected(second.error());
  if (!(*first == *second)) return Unexpected(std::string("the passwords are not the same"));
  return first;
}

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

}  // namespace

Result<Secret, std::string> userlist_line(const PasswordOptions& options, const Secret& password,
                                          const std::string& salt) {
  if (options.md5) {
    const auto hashed = wire::md5_secret(password.reveal(), options.role);
    if (!hashed) return Unexpected(std::string("OpenSSL refuses MD5 on this machine"));
    return format_userlist_line(options.role, Secret{*hashed});
  }
  const auto made = wire::scram_secret_from_password(password.reveal(), salt, options.iterations);
  if (!made) return Unexpected(std::string("OpenSSL could not compute the secret"));
  return format_userlist_line(options.role, Secret{wire::format_scram_secret(*made)});
}

int run_password_command(const PasswordOptions& options) {
  const auto fail = [](const std::string& why) {
    std::fputs(fmt::format("pgring: {}\n", why).c_str(), stderr);
    return exit_failure;
  };
  const auto password = isatty(STDIN_FILENO) != 0 ? ask_twice(options.role) : read_line(nullptr);
  if (!password) return fail(password.error());
  if (!options.md5 && !is_ascii(password->reveal())) {
    std::fputs(
        "pgring: warning: the password is not ASCII: PostgreSQL may normalise it (SASLprep) and "
        "take "
        "another secret\n",
        stderr);
  }
  const auto salt = wire::make_scram_salt();
  if (!salt) return fail("no random bytes to be had");
  const auto line = userlist_line(options, *password, *salt);
  if (!line) return fail(line.error());
  const std::string_view text = line->reveal();
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
                       std::fputc('\n', stdout) != EOF && std::fflush(stdout) == 0;
  return written ? exit_ok : fail("the standard output takes no more");
}

}  // namespace pgring
