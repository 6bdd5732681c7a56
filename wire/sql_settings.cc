#include "wire/sql_settings.h"

#include <algorithm>
#include <cstdint>

#include "wire/sql_lexer.h"
#include "wire/sql_word.h"

namespace wire {
namespace {

// More in one text are not looked for.
constexpr std::size_t names_max = 64;
// Longer ones are no names anybody has.
constexpr std::size_t name_size_max = 200;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool begins_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool continues_name(char c) { return begins_name(c) || (c >= '0' && c <= '9') || c == '$'; }

// valid_custom_variable_name(): identifiers with dots between them, at least two.
bool is_custom_name(std::string_view text) {
  if (text.size() > name_size_max) return false;
  bool start = true;
  bool dotted = false;
  for (const char c : text) {
    if (start ? !begins_name(c) : c != '.' && !continues_name(c)) return false;
    start = !start && c == '.';
    dotted = dotted || start;
  }
  return dotted && !start;
}

void add(std::vector<std::string>& names, std::string_view name) {
  if (!is_custom_name(name) || names.size() == names_max) return;
  const auto same = [name](std::string_view known) {
    return std::ranges::equal(known, name, [](char a, char b) { return lower(a) == lower(b); });
  };
  if (std::ranges::none_of(names, same)) names.emplace_back(name);
}

std::string_view unquoted(std::string_view token) {
  return token.size() >= 2 ? token.substr(1, token.size() - 2) : std::string_view{};
}

}  // namespace

std::vector<std::string> custom_setting_names(std::string_view sql) {
  std::vector<std::string> names;
  std::string dotted;  // a name with dots, as far as it goes
  bool after_dot = false;
  SqlLexer lexer{sql};
  for (;;) {
    const SqlToken token = lexer.next();
    const std::string_view text = lexer.text(token);
    const bool word = token.kind == SqlTokenKind::word;
    if (word || token.kind == SqlTokenKind::quoted_identifier) {
      if (!after_dot) {
        add(names, dotted);
        dotted.clear();
      }
      dotted += word ? text : unquoted(text);
      after_dot = false;
      continue;
    }
    if (token.kind == SqlTokenKind::operation && text == "." && !dotted.empty() && !after_dot) {
      dotted += '.';
      after_dot = true;
      continue;
    }
    if (!after_dot) add(names, dotted);
    dotted.clear();
    after_dot = false;
    if (token.kind == SqlTokenKind::end) return names;
    if (token.kind != SqlTokenKind::string) continue;
    if (text.front() == '\'') add(names, unquoted(text));
    if (text.front() == '$') {
      // The body of a DO: one level deep.
      const std::size_t tag = text.find('$', 1);
      const std::string_view body = text.size() >= 2 * (tag + 1)
                                        ? text.substr(tag + 1, text.size() - 2 * (tag + 1))
                                        : std::string_view{};
      if (body.find('$') == std::string_view::npos) {
        for (const std::string& name : custom_setting_names(body)) add(names, name);
      }
    }
  }
}

bool sets_unnamed(std::string_view sql) {
  SqlLexer lexer{sql};
  // What comes next if all is well, once set_config was there.
  enum class Expected : std::uint8_t { anything, parenthesis, name, comma };
  auto expected = Expected::anything;
  bool begins = true;
  for (SqlToken token = lexer.next(); token.kind != SqlTokenKind::end; token = lexer.next()) {
    const std::string_view text = lexer.text(token);
    const SqlWord word = token.kind == SqlTokenKind::word ? find_sql_word(text)
                         : token.kind == SqlTokenKind::quoted_identifier
                             ? find_quoted_sql_word(unquoted(text))
                             : SqlWord::none;
    if (token.kind == SqlTokenKind::escaped_identifier) return true;
    if (begins && word == SqlWord::do_block) return true;
    begins = token.kind == SqlTokenKind::semicolon;
    switch (expected) {
      case Expected::anything:
        if (word == SqlWord::set_config) expected = Expected::parenthesis;
        break;
      case Expected::parenthesis:
        if (token.kind != SqlTokenKind::left_parenthesis) return true;
        expected = Expected::name;
        break;
      case Expected::name:
        if (token.kind != SqlTokenKind::string || text.front() != '\'') return true;
        expected = Expected::comma;
        break;
      case Expected::comma:
        if (text != ",") return true;
        expected = Expected::anything;
        break;
    }
  }
  return expected != Expected::anything;
}

}  // namespace wire
