// AuthDocument: an hba or ident file cut into lines, fields and tokens, with all that it includes.
//
// What:   PostgreSQL's lexical rules: blanks and commas, double quotes, comments, a backslash at a line's
//         end, @file, include, include_if_exists and include_dir. What the tokens mean is for
//         hba_parser.cc and ident.cc, which report their errors here too.
// Owner:  whoever loads a file; gone once the rules are made. One thread.
// Units:  offsets in bytes; positions as in diagnostic.h.
// Errors: collected, each with its place in the file that it is in; reading goes on where that makes
//         sense. A line that holds a secret is shown without it.
// Source: PostgreSQL docs, auth-pg-hba-conf; its src/backend/libpq/hba.c of version 18.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/diagnostic.h"
#include "src/base/result.h"

namespace pgring {

// All files of one load together: what includes what may multiply.
inline constexpr std::size_t auth_size_max = std::size_t{16} * 1024 * 1024;
inline constexpr std::size_t auth_files_max = 1000;
inline constexpr std::size_t auth_diagnostics_max = 1000;
inline constexpr int auth_depth_max = 10;  // PostgreSQL's CONF_FILE_MAX_DEPTH

// Where files come from: the disk, or memory in tests.
class AuthFiles {
 public:
  struct Failure {
    bool is_missing = false;  // ENOENT
    std::string reason;
  };

  AuthFiles() = default;
  AuthFiles(const AuthFiles&) = delete;
  AuthFiles& operator=(const AuthFiles&) = delete;
  virtual ~AuthFiles() = default;

  // The whole file; a failure if it is no file or longer than `size_max`.
  [[nodiscard]] virtual Result<std::string, Failure> read(const std::string& path,
                                                          std::size_t size_max) = 0;
  // Names of what is in the folder and is no folder itself, in any order.
  [[nodiscard]] virtual Result<std::vector<std::string>, Failure> list(
      const std::string& folder) = 0;
};

class DiskAuthFiles final : public AuthFiles {
 public:
  [[nodiscard]] Result<std::string, Failure> read(const std::string& path,
                                                  std::size_t size_max) override;
  [[nodiscard]] Result<std::vector<std::string>, Failure> list(const std::string& folder) override;
};

struct AuthToken {
  std::string text;        // without its quotes
  bool is_quoted = false;  // from the first character on: no keyword, no @file
  std::size_t source = 0;  // which file it stands in
  std::size_t offset = 0;  // where in that file it begins

  [[nodiscard]] bool is_keyword(std::string_view word) const { return !is_quoted && text == word; }
};
using AuthField = std::vector<AuthToken>;  // never empty

struct AuthLine {
  std::size_t source = 0;
  std::size_t offset = 0;         // of its first token
  std::size_t end_offset = 0;     // behind its last character
  std::uint32_t number = 0;       // of its first physical line
  std::vector<AuthField> fields;  // never empty
};

class AuthDocument {
 public:
  AuthDocument(const std::string& path, AuthFiles& files);

  [[nodiscard]] const std::vector<AuthLine>& lines() const { return lines_; }
  [[nodiscard]] const std::string& path_of(const AuthLine& line) const {
    return sources_[line.source].text.file();
  }

  void error(const AuthToken& at, std::string message, std::string hint = {});
  void warning(const AuthToken& at, std::string message, std::string hint = {});
  void error_at_end(const AuthLine& line, std::string message, std::string hint = {});
  // About the first file as a whole.
  void error(std::string message, std::string hint = {});

  [[nodiscard]] bool has_errors() const { return has_errors_; }
  // In the order in which they were found.
  [[nodiscard]] Diagnostics take_diagnostics() { return std::move(diagnostics_); }

 private:
  struct Source {
    Source(const std::string& path, std::string content)
        : bytes(std::move(content)), text(path, bytes) {}
    std::string bytes;
    SourceText text;  // borrows `bytes`
  };
  struct LogicalLine;

  bool open(const std::string& path, int depth, const AuthToken* from, bool may_be_missing);
  void read(std::size_t source, int depth, std::vector<AuthLine>& lines);
  void read_fields(const LogicalLine& logical, int depth, AuthLine& line);
  bool read_token(const LogicalLine& logical, std::size_t& at, AuthToken& token, bool& has_comma);
  void expand(const AuthToken& token, int depth, AuthField& field);
  bool include(const AuthLine& line, int depth, std::vector<AuthLine>& lines);
  void include_folder(const AuthToken& folder, int depth, std::vector<AuthLine>& lines);
  void add(Diagnostic diagnostic);
  void report(Severity severity, std::size_t source, std::size_t offset, std::string message,
              std::string hint);
  [[nodiscard]] static std::string shown_line(const SourceText& text, std::uint32_t number);

  AuthFiles& files_;
  std::deque<Source> sources_;  // in the order opened; they do not move
  std::vector<AuthLine> lines_;
  Diagnostics diagnostics_;
  std::string path_;
  std::size_t size_ = 0;
  bool has_errors_ = false;
  bool is_stopped_ = false;  // a limit was met: nothing more is opened
};

}  // namespace pgring
