#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "src/auth/auth_file.h"

namespace pgring {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

AuthFiles::Failure failure(int error) {
  return {error == ENOENT, std::system_category().message(error)};
}

}  // namespace

Result<std::string, AuthFiles::Failure> DiskAuthFiles::read(const std::string& path,
                                                            std::size_t size_max) {
  // Without O_NONBLOCK the opening of a FIFO would wait for a writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return Unexpected(failure(errno));
  struct stat about{};
  if (::fstat(file.get(), &about) != 0) return Unexpected(failure(errno));
  if (!S_ISREG(about.st_mode)) return Unexpected(Failure{false, "it is not a regular file"});
  std::string content;
  for (;;) {
    constexpr std::size_t piece_size = std::size_t{64} * 1024;
    const std::size_t size = content.size();
    content.resize(size + piece_size);
    const ssize_t got = ::read(file.get(), content.data() + size, piece_size);
    if (got < 0 && errno == EINTR) {
      content.resize(size);
      continue;
    }
    if (got < 0) return Unexpected(failure(errno));
    content.resize(size + static_cast<std::size_t>(got));
    if (got == 0) return content;
    if (content.size() > size_max) {
      return Unexpected(
          Failure{false, fmt::format("it is too large (all files together have at most {} MiB)",
                                     auth_size_max / 1024 / 1024)});
    }
  }
}

Result<std::vector<std::string>, AuthFiles::Failure> DiskAuthFiles::list(
    const std::string& folder) {
  std::error_code error;
  std::vector<std::string> names;
  std::filesystem::directory_iterator entry(folder, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::error_code unknown;  // a link that leads nowhere: reading it will say so
    if (!entry->is_directory(unknown)) names.push_back(entry->path().filename().string());
  }
  if (error) return Unexpected(failure(error.value()));
  return names;
}

}  // namespace pgring
