#include "wire/sql_set.h"

#include <algorithm>
#include <array>

#include "wire/sql_lexer.h"

namespace wire {
namespace {

// NAMEDATALEN - 1: longer names are cut.
constexpr std::size_t word_size_max = 63;
// Of a number that fits into 32 bits whatever its digits are.
constexpr std::size_t integer_size_max = 9;

// The first four: lists, of which each element is quoted by SET. No extension can have such (guc.c).
constexpr std::array<std::string_view, 13> other_settings{"search_path",
                                                          "temp_tablespaces",
                                                          "local_preload_libraries",
                                                          "session_preload_libraries",
                                                          "role",
                                                          "session_authorization",
                                                          "seed",
                                                          "transaction_isolation",
                                                          "transaction_read_only",
                                                          "transaction_deferrable",
                                                          "client_encoding",
                                                          "standard_conforming_strings",
                                                          "all"};

bool is_plain(char c) { return c >= ' ' && c <= '~' && c != '\'' && c != '\\'; }

// Reads a text token by token; empty where there is no such thing as asked for.
class Reader {
 public:
  explicit Reader(std::string_view sql) : lexer_{sql} { next(); }

  [[nodiscard]] bool ends() {
    if (token_.kind == SqlTokenKind::semicolon) next();
    return token_.kind == SqlTokenKind::end;
  }
  // A word in small letters.
  [[nodiscard]] std::string word() {
    if (token_.kind != SqlTokenKind::word || token_.length > word_size_max) return {};
    std::string word;
    for (const char c : text()) {
      if (!is_plain(c)) return {};
      word += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    next();
    return word;
  }
  [[nodiscard]] bool operation(std::string_view wanted) {
    if (token_.kind != SqlTokenKind::operation || text() != wanted) return false;
    next();
    return true;
  }
  [[nodiscard]] std::string dotted_rest(std::string first) {
    while (!first.empty() && operation(".")) {
      const std::string more = word();
      if (more.empty()) return {};
      first += '.';
      first += more;
    }
    return first;
  }
  [[nodiscard]] bool is_default() {
    if (token_.kind != SqlTokenKind::word) return false;
    Reader ahead = *this;
    if (ahead.word() != "default") return false;
    *this = ahead;
    return true;
  }
  // One value, or none.
  [[nodiscard]] std::optional<std::string> value() {
    if (token_.kind == SqlTokenKind::string) return string();
    if (token_.kind == SqlTokenKind::word) {
      std::string value = word();
      if (value.empty()) return std::nullopt;
      return value;
    }
    const std::string sign = operation("-") ? "-" : "";
    const auto digits = number();
    if (!digits) return std::nullopt;
    return sign + *digits;
  }

 private:
  void next() { token_ = lexer_.next(); }
  [[nodiscard]] std::string_view text() const { return lexer_.text(token_); }

  [[nodiscard]] std::optional<std::string> string() {
    const std::string_view quoted = text();
    if (quoted.size() < 2 || quoted.front() != '\'' || quoted.back() != '\'') return std::nullopt;
    const std::string_view value = quoted.substr(1, quoted.size() - 2);
    if (!std::ranges::all_of(value, is_plain)) return std::nullopt;
    next();
    return std::string{value};
  }

  // Digits, perhaps with a point among them. Others are spelled anew by PostgreSQL.
  [[nodiscard]] std::optional<std::string> number() {
    if (token_.kind != SqlTokenKind::number) return std::nullopt;
    const std::string_view number = text();
    const std::size_t point = number.find('.');
    const std::string_view whole = number.substr(0, point);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (whole.empty() || whole.size() > integer_size_max || !std::ranges::all_of(whole, is_digit))
      return std::nullopt;
    if (whole.size() > 1 && whole.front() == '0') return std::nullopt;
    if (point != std::string_view::npos) {
      const std::string_view part = number.substr(point + 1);
      if (part.empty() || !std::ranges::all_of(part, is_digit)) return std::nullopt;
    }
    std::string digits{number};
    next();
    return digits;
  }

  SqlLexer lexer_;
  SqlToken token_;
};

std::optional<PlainSet> reset(Reader& reader) {
  const std::string name = reader.dotted_rest(reader.word());
  if (name.empty() || !reader.ends()) return std::nullopt;
  return PlainSet{.name = name, .value = std::nullopt};
}

std::optional<PlainSet> set(Reader& reader) {
  std::string first = reader.word();
  if (first == "session") first = reader.word();
  if (first == "local" || first == "session") return std::nullopt;
  const std::string name = reader.dotted_rest(std::move(first));
  if (name.empty() || (!reader.operation("=") && reader.word() != "to")) return std::nullopt;
  if (reader.is_default()) {
    if (!reader.ends()) return std::nullopt;
    return PlainSet{.name = name, .value = std::nullopt};
  }
  auto value = reader.value();
  if (!value || !reader.ends()) return std::nullopt;
  return PlainSet{.name = name, .value = std::move(value)};
}

}  // namespace

std::optional<PlainSet> plain_set(std::string_view sql) {
  Reader reader{sql};
  const std::string verb = reader.word();
  std::optional<PlainSet> found;
  if (verb == "set") found = set(reader);
  if (verb == "reset") found = reset(reader);
  if (!found || std::ranges::find(other_settings, found->name) != other_settings.end())
    return std::nullopt;
  return found;
}

}  // namespace wire
