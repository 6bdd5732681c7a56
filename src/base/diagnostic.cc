#include "src/base/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/base/check.h"
#include "src/base/utf8.h"

namespace pgring {
namespace {

constexpr std::size_t shown_characters_max = 200;

char lower(char c) { return (c >= 'A' && c <= 'Z') ? static_cast<char>(c - 'A' + 'a') : c; }

constexpr std::string_view secret_word = "password";

std::size_t find_secret_word(std::string_view line) {
  const auto found = std::search(line.begin(), line.end(), secret_word.begin(), secret_word.end(),
                                 [](char a, char b) { return lower(a) == b; });
  return found == line.end() ? std::string_view::npos
                             : static_cast<std::size_t>(found - line.begin());
}

std::string without_secret(std::string_view line) {
  const std::size_t word = find_secret_word(line);
  if (word == std::string_view::npos) return printable(line);
  const std::size_t equals = line.find('=', word);
  const std::size_t keep =
      equals == std::string_view::npos ? word + secret_word.size() : equals + 1;
  return printable(line.substr(0, keep)) + " ***";
}

}  // namespace

// One character of the file becomes one column on the terminal, so that the caret fits.
std::string printable(std::string_view line) {
  std::string shown;
  for (std::size_t count = 0; !line.empty() && count < shown_characters_max; ++count) {
    const std::size_t length = utf8_length(line);
    const auto first = static_cast<unsigned char>(line[0]);
    if (length == 0 || first < 0x20 || first == 0x7F) {
      shown += first == '\t' ? ' ' : '?';
    } else {
      shown += line.substr(0, length);
    }
    line.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return shown;
}

bool names_a_secret(std::string_view line) {
  return find_secret_word(line) != std::string_view::npos;
}

std::string to_string(const Diagnostic& d) {
  std::string text = d.file;
  if (d.at.line != 0) text += fmt::format(":{}", d.at.line);
  if (d.at.line != 0 && d.at.column != 0) text += fmt::format(":{}", d.at.column);
  text += d.severity == Severity::error ? ": error: " : ": warning: ";
  if (!d.key.empty()) text += d.key + ": ";
  text += d.message;
  if (!d.source_line.empty()) {
    text += fmt::format("\n{:>5} | {}", d.at.line, d.source_line);
    const bool caret_is_in_sight = d.at.column != 0 && d.at.column <= shown_characters_max;
    if (caret_is_in_sight) text += fmt::format("\n      | {:>{}}", '^', d.at.column);
  }
  if (!d.hint.empty()) text += "\n      hint: " + d.hint;
  return text;
}

SourceText::SourceText(std::string_view file, std::string_view text) : file_(file), text_(text) {
  line_starts_.push_back(0);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') line_starts_.push_back(i + 1);
  }
}

std::uint32_t SourceText::line_count() const {
  return static_cast<std::uint32_t>(line_starts_.size());
}

std::size_t SourceText::line_start(std::uint32_t number) const {
  POOLER_CHECK(number >= 1 && number <= line_count());
  return line_starts_[number - 1];
}

std::string_view SourceText::line(std::uint32_t number) const {
  const std::size_t start = line_start(number);
  const std::size_t end = number == line_count() ? text_.size() : line_starts_[number] - 1;
  std::string_view line = text_.substr(start, end - start);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

Position SourceText::position_of(std::size_t offset) const {
  const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
  const auto line = static_cast<std::uint32_t>(after - line_starts_.begin());
  std::string_view before = text_.substr(*(after - 1), offset - *(after - 1));
  std::uint32_t column = 1;
  while (!before.empty()) {
    before.remove_prefix(std::max<std::size_t>(utf8_length(before), 1));
    ++column;
  }
  return {line, column};
}

Diagnostic SourceText::at(Severity severity, Position at, std::string key, std::string message,
                          std::string hint) const {
  Diagnostic d{severity, file_, at, std::move(key), std::move(message), std::move(hint), {}};
  if (at.line >= 1 && at.line <= line_count()) d.source_line = without_secret(line(at.line));
  return d;
}

}  // namespace pgring
