#include "src/console/token.h"

#include <algorithm>
#include <optional>

namespace pgring::console {
namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Bytes above ASCII belong to names, as in PostgreSQL.
bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.' || c == '-' || c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

// Behind the comment that starts at `at`; nothing: it has no end. Comments nest, as in PostgreSQL.
std::optional<std::size_t> skip_block_comment(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  while (at + 1 < text.size()) {
    const auto two = text.substr(at, 2);
    if (two == "/*") {
      ++depth;
      at += 2;
    } else if (two == "*/") {
      at += 2;
      if (--depth == 0) return at;
    } else {
      ++at;
    }
  }
  return std::nullopt;
}

// Reads the quoted text that starts at `at`, which moves behind it; nothing: it has no end.
std::optional<std::string> read_quoted(std::string_view text, std::size_t& at) {
  const char quote = text[at++];
  std::string result;
  while (at < text.size()) {
    const char c = text[at++];
    if (c != quote) {
      result.push_back(c);
    } else if (at < text.size() && text[at] == quote) {
      result.push_back(quote);
      ++at;
    } else {
      return result;
    }
  }
  return std::nullopt;
}

}  // namespace

bool Token::is(std::string_view keyword) const {
  return kind == Kind::word && std::ranges::equal(text, keyword, {}, upper);
}

Result<std::vector<Token>, std::string> read_tokens(std::string_view text) {
  std::vector<Token> tokens;
  std::size_t at = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (is_space(c)) {
      ++at;
    } else if (text.substr(at, 2) == "--") {
      at = std::min(text.find('\n', at), text.size());
    } else if (text.substr(at, 2) == "/*") {
      const auto behind = skip_block_comment(text, at);
      if (!behind) return Unexpected{std::string{"unterminated /* comment"}};
      at = *behind;
    } else if (c == '"' || c == '\'') {
      auto quoted = read_quoted(text, at);
      if (!quoted)
        return Unexpected{std::string{c == '"' ? "unterminated quoted identifier"
                                               : "unterminated quoted string"}};
      tokens.push_back({Token::Kind::quoted, std::move(*quoted)});
    } else if (is_word(c)) {
      const auto end = std::ranges::find_if_not(text.substr(at), is_word) - text.substr(at).begin();
      tokens.push_back(
          {Token::Kind::word, std::string{text.substr(at, static_cast<std::size_t>(end))}});
      at += static_cast<std::size_t>(end);
    } else {
      tokens.push_back({Token::Kind::character, std::string{c}});
      ++at;
    }
  }
  return tokens;
}

}  // namespace pgring::console
