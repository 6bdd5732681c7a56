#include "wire/sql_identifier.h"

namespace wire {
namespace {

std::string folded(std::string_view word) {
  std::string name(word);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return name;
}

// `token` with its quotes.
std::string unquoted(std::string_view token) {
  std::string name;
  for (std::size_t i = 1; i + 1 < token.size(); ++i) {
    name.push_back(token[i]);
    if (token[i] == '"') ++i;
  }
  return name;
}

void cut(std::string& name) {
  if (name.size() <= identifier_size_max) return;
  const auto continues = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
  std::size_t size = identifier_size_max;
  while (size > identifier_size_max - 3 && continues(name[size])) --size;
  // What is no UTF-8 is cut at the byte.
  name.resize(continues(name[size]) ? identifier_size_max : size);
}

}  // namespace

std::optional<std::string> identifier_of(const SqlLexer& lexer, const SqlToken& token) {
  const std::string_view text = lexer.text(token);
  std::string name;
  if (token.kind == SqlTokenKind::word) {
    name = folded(text);
  } else if (token.kind == SqlTokenKind::quoted_identifier && text.size() > 2 &&
             text.back() == '"') {
    name = unquoted(text);
  } else {
    return std::nullopt;
  }
  cut(name);
  return name;
}

}  // namespace wire
