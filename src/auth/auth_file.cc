#include "src/auth/auth_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "src/auth/auth_secret_words.h"

namespace pgring {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// As PostgreSQL's AbsoluteConfigLocation: relative to the file that says it.
std::string beside(const std::string& file, const std::string& name) {
  const std::filesystem::path path(name);
  if (path.is_absolute()) return path.lexically_normal().string();
  return (std::filesystem::path(file).parent_path() / path).lexically_normal().string();
}

bool ends_with_backslash(std::string_view line) { return line.ends_with('\\'); }

}  // namespace

// One line, or several that backslashes join, with the way back to the file.
struct AuthDocument::LogicalLine {
  struct Piece {
    std::size_t begin;   // in `text`
    std::size_t offset;  // in the file
  };
  std::size_t source = 0;
  std::string text;
  std::vector<Piece> pieces;

  [[nodiscard]] std::size_t offset_of(std::size_t at) const {
    auto piece = pieces.rbegin();
    while (piece->begin > at) ++piece;
    return piece->offset + (at - piece->begin);
  }
};

AuthDocument::AuthDocument(const std::string& path, AuthFiles& files)
    : files_(files), path_(std::filesystem::path(path).lexically_normal().string()) {
  if (open(path_, 0, nullptr, false)) read(0, 0, lines_);
}

// Says itself why it could not. `from` is the token that names the file; none for the first.
bool AuthDocument::open(const std::string& path, int depth, const AuthToken* from,
                        bool may_be_missing) {
  const auto complain = [&](std::string message, std::string hint = {}) {
    if (from == nullptr) {
      error(std::move(message), std::move(hint));
    } else {
      error(*from, std::move(message), std::move(hint));
    }
    return false;
  };
  if (is_stopped_) return false;
  if (depth > auth_depth_max) {
    is_stopped_ = true;
    return complain(
        fmt::format("\"{}\" would be nested more than {} files deep", path, auth_depth_max),
        "a file must not include itself, not by way of others either");
  }
  if (sources_.size() == auth_files_max) {
    is_stopped_ = true;
    return complain(fmt::format("more than {} files are included", auth_files_max));
  }
  auto content = files_.read(path, auth_size_max - size_);
  if (!content) {
    if (may_be_missing && content.error().is_missing) return false;
    return complain(fmt::format("cannot read \"{}\": {}", path, content.error().reason));
  }
  size_ += content->size();
  sources_.emplace_back(path, *std::move(content));
  const std::size_t source = sources_.size() - 1;
  const std::string_view bytes = sources_.back().bytes;
  if (bytes.starts_with("\xEF\xBB\xBF")) {
    report(Severity::error, source, 0, "the file begins with a byte order mark",
           "save it as UTF-8 without one");
    return false;
  }
  if (const std::size_t zero = bytes.find('\0'); zero != std::string_view::npos) {
    report(Severity::error, source, zero, "a zero byte is not text", {});
    return false;
  }
  return true;
}

void AuthDocument::read(std::size_t source, int depth, std::vector<AuthLine>& lines) {
  const SourceText& text = sources_[source].text;
  const std::uint32_t count = text.line_count();
  for (std::uint32_t number = 1; number <= count;) {
    LogicalLine logical{.source = source, .text = {}, .pieces = {}};
    const std::uint32_t first = number;
    bool goes_on = true;
    for (; goes_on && number <= count; ++number) {
      std::string_view part = text.line(number);
      while (part.ends_with('\r')) part.remove_suffix(1);
      goes_on = ends_with_backslash(part);
      if (goes_on) part.remove_suffix(1);
      logical.pieces.push_back({logical.text.size(), text.line_start(number)});
      logical.text += part;
    }
    AuthLine line{.source = source, .number = first};
    line.end_offset = logical.offset_of(logical.text.size());
    const std::size_t known = diagnostics_.size();
    read_fields(logical, depth, line);
    if (line.fields.empty() || diagnostics_.size() != known) continue;  // told already
    line.offset = line.fields.front().front().offset;
    if (!include(line, depth, lines)) lines.push_back(std::move(line));
  }
}

void AuthDocument::read_fields(const LogicalLine& logical, int depth, AuthLine& line) {
  for (std::size_t at = 0; at < logical.text.size();) {
    AuthField field;
    AuthToken token;
    bool has_comma = true;
    while (has_comma && read_token(logical, at, token, has_comma)) {
      const bool is_file = !token.is_quoted && token.text.size() > 1 && token.text[0] == '@';
      if (is_file) {
        expand(token, depth, field);
      } else {
        field.push_back(std::move(token));
      }
      token = {};
    }
    if (!field.empty()) line.fields.push_back(std::move(field));
  }
}

// hba.c's next_token: false at the line's end. `at` stays before the comma or blank that ends the token.
bool AuthDocument::read_token(const LogicalLine& logical, std::size_t& at, AuthToken& token,
                              bool& has_comma) {
  const std::string_view line = logical.text;
  has_comma = false;
  while (at < line.size() && (is_blank(line[at]) || line[at] == ',')) ++at;
  const std::size_t start = at;
  bool in_quote = false;
  bool was_quote = false;
  bool saw_quote = false;
  for (; at < line.size() && (in_quote || !is_blank(line[at])); ++at) {
    const char c = line[at];
    if (c == '#' && !in_quote) {
      at = line.size();
      break;
    }
    if (c == ',' && !in_quote) {
      has_comma = true;
      break;
    }
    if (c != '"' || was_quote) token.text += c;
    was_quote = in_quote && c == '"' && !was_quote;
    if (c != '"') continue;
    in_quote = !in_quote;
    saw_quote = true;
    if (token.text.empty()) token.is_quoted = true;
  }
  token.source = logical.source;
  token.offset = logical.offset_of(start);
  if (in_quote) {
    error(token, "the closing quote is missing on this line",
          "a quote inside quotes is written twice: \"\"");
    return false;
  }
  return saw_quote || !token.text.empty();
}

// The tokens of all lines of the file that `token` names, as one list.
void AuthDocument::expand(const AuthToken& token, int depth, AuthField& field) {
  const std::string path = beside(sources_[token.source].text.file(), token.text.substr(1));
  if (!open(path, depth + 1, &token, false)) return;
  const std::size_t source = sources_.size() - 1;
  const std::size_t known = diagnostics_.size();
  std::vector<AuthLine> lines;
  read(source, depth + 1, lines);
  for (AuthLine& line : lines) {
    for (AuthField& part : line.fields) {
      for (AuthToken& name : part) field.push_back(std::move(name));
    }
  }
  if (lines.empty() && diagnostics_.size() == known) {
    error(token, fmt::format("there is nothing in \"{}\"", path),
          "PostgreSQL would take the line's next field in its place; take the line out, or name "
          "nobody, "
          "such as \"\"");
  }
}

// Whether the line was a directive, and is done with.
bool AuthDocument::include(const AuthLine& line, int depth, std::vector<AuthLine>& lines) {
  if (line.fields.size() != 2) return false;
  const std::string& word = line.fields[0].front().text;
  const bool is_optional = word == "include_if_exists";
  const bool is_folder = word == "include_dir";
  if (word != "include" && !is_optional && !is_folder) return false;
  const AuthField& names = line.fields[1];
  if (line.fields[0].size() != 1 || names.size() != 1) {
    error(names.back(), fmt::format("{} takes one name", word), "write one line for each");
    return true;
  }
  const AuthToken& name = names.front();
  if (name.text.find_first_not_of(" \t\r\n\v\f") == std::string::npos) {
    error(name, fmt::format("{} has an empty name", word));
  } else if (is_folder) {
    include_folder(name, depth, lines);
  } else if (open(beside(sources_[name.source].text.file(), name.text), depth + 1, &name,
                  is_optional)) {
    read(sources_.size() - 1, depth + 1, lines);
  }
  return true;
}

// As PostgreSQL's GetConfFilesInDir: names that end in .conf and do not begin with a dot, by strcmp.
void AuthDocument::include_folder(const AuthToken& folder, int depth,
                                  std::vector<AuthLine>& lines) {
  if (is_stopped_) return;
  const std::string path = beside(sources_[folder.source].text.file(), folder.text);
  auto names = files_.list(path);
  if (!names) {
    error(folder, fmt::format("cannot read the folder \"{}\": {}", path, names.error().reason));
    return;
  }
  std::sort(names->begin(), names->end());
  for (const std::string& name : *names) {
    if (name.size() < 6 || name.starts_with('.') || !name.ends_with(".conf")) continue;
    const std::string file = (std::filesystem::path(path) / name).lexically_normal().string();
    if (open(file, depth + 1, &folder, false)) read(sources_.size() - 1, depth + 1, lines);
  }
}

void AuthDocument::error(const AuthToken& at, std::string message, std::string hint) {
  report(Severity::error, at.source, at.offset, std::move(message), std::move(hint));
}

void AuthDocument::warning(const AuthToken& at, std::string message, std::string hint) {
  report(Severity::warning, at.source, at.offset, std::move(message), std::move(hint));
}

void AuthDocument::error_at_end(const AuthLine& line, std::string message, std::string hint) {
  report(Severity::error, line.source, line.end_offset, std::move(message), std::move(hint));
}

void AuthDocument::error(std::string message, std::string hint) {
  add({Severity::error, path_, {}, {}, std::move(message), std::move(hint), {}});
}

void AuthDocument::report(Severity severity, std::size_t source, std::size_t offset,
                          std::string message, std::string hint) {
  const SourceText& text = sources_[source].text;
  const Position at = text.position_of(offset);
  add({severity,
       text.file(),
       at,
       {},
       std::move(message),
       std::move(hint),
       shown_line(text, at.line)});
}

// What is beyond the limit is dropped: files that include each other could say the same for ever.
void AuthDocument::add(Diagnostic diagnostic) {
  has_errors_ = has_errors_ || diagnostic.severity == Severity::error;
  if (diagnostics_.size() < auth_diagnostics_max) {
    diagnostics_.push_back(std::move(diagnostic));
  } else {
    is_stopped_ = true;
  }
}

// Of lines that backslashes join, none is shown where any names a secret: its value may stand anywhere.
std::string AuthDocument::shown_line(const SourceText& text, std::uint32_t number) {
  std::uint32_t first = number;
  std::uint32_t last = number;
  while (first > 1 && ends_with_backslash(text.line(first - 1))) --first;
  while (last < text.line_count() && ends_with_backslash(text.line(last))) ++last;
  if (first == last) return printable(without_auth_secrets(text.line(number)));
  for (std::uint32_t n = first; n <= last; ++n) {
    if (names_auth_secret(text.line(n))) return {};
  }
  return printable(text.line(number));
}

}  // namespace pgring
