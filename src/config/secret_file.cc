#include "src/config/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <string.h>  // explicit_bzero
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace pgring {
namespace {

std::string errno_text(int error) {
  std::array<char, 128> buffer{};
  return strerror_r(error, buffer.data(), buffer.size());
}

Result<FileText, std::string> read_open_file(int fd, std::size_t size_max) {
  FileText file;
  if (fstat(fd, &file.status) != 0) return Unexpected(errno_text(errno));
  if (S_ISDIR(file.status.st_mode)) return Unexpected(errno_text(EISDIR));
  if (S_ISREG(file.status.st_mode) && file.status.st_size > 0) {
    // In one piece where the size is known: growing would leave copies of secrets behind.
    file.text.reserve(std::min(static_cast<std::size_t>(file.status.st_size), size_max) + 1);
  }
  std::array<char, 65536> piece{};
  for (;;) {
    const ssize_t got = read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return Unexpected(errno_text(errno));
    if (got == 0) break;
    file.text.append(piece.data(), static_cast<std::size_t>(got));
    if (file.text.size() > size_max) {
      return Unexpected(fmt::format("it is larger than {} bytes", size_max));
    }
  }
  explicit_bzero(piece.data(), piece.size());
  return file;
}

}  // namespace

FileText::FileText(FileText&& other) noexcept : text(std::move(other.text)), status(other.status) {}

FileText::~FileText() { explicit_bzero(text.data(), text.size()); }

Result<FileText, std::string> read_secret_file(const std::string& path, std::size_t size_max) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Unexpected(errno_text(errno));
  auto file = read_open_file(fd, size_max);
  close(fd);  // opened for reading: nothing can be lost here
  return file;
}

std::optional<WrongMode> wrong_mode(const FileText& file, const std::string& path) {
  if (!S_ISREG(file.status.st_mode)) return std::nullopt;
  const bool is_roots = file.status.st_uid == 0;
  const mode_t allowed = is_roots ? S_IRUSR | S_IWUSR | S_IXUSR | S_IRGRP : S_IRWXU;
  const mode_t mode = file.status.st_mode & 07777;
  if ((mode & 0777 & ~allowed) == 0) return std::nullopt;
  // Root's file is read by its group, the service's: without that pgring could not read it any more.
  const bool needs_group = is_roots && (mode & S_IRGRP) != 0;
  return WrongMode{fmt::format("others can read or write it (mode {:04o})", mode),
                   fmt::format("chmod {} {}", needs_group ? "640" : "600", path)};
}

}  // namespace pgring
