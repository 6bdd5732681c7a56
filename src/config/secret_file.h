// Files that hold secrets: read in one piece, wiped when they go, and refused if others can read them.
//
// Errors: the system's reason.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>

#include "src/base/result.h"

namespace pgring {

struct FileText {
  FileText() = default;
  FileText(FileText&& other) noexcept;
  FileText& operator=(FileText&&) = delete;
  ~FileText();

  std::string text;
  struct stat status{};
};

[[nodiscard]] Result<FileText, std::string> read_secret_file(const std::string& path,
                                                             std::size_t size_max);

struct WrongMode {
  std::string message;  // "others can read it (mode 0644)"
  std::string chmod;    // the command that mends it
};
// PostgreSQL's rule for a server's key: nobody but the owner, or if root owns the file, a group that may read it.
// Nullopt: it is so, or the file is none of the disk.
[[nodiscard]] std::optional<WrongMode> wrong_mode(const FileText& file, const std::string& path);

}  // namespace pgring
