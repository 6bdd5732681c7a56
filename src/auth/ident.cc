#include "src/auth/ident.h"

#include <fmt/format.h>

#include <algorithm>

namespace pgring {
namespace {

constexpr std::string_view group_mark = "\\1";

// One line to one rule. A function that gives false has said why.
class LineParser {
 public:
  LineParser(AuthDocument& document, const AuthLine& line) : document_(document), line_(line) {
    rule_.file = document.path_of(line);
    rule_.line = line.number;
  }

  std::optional<IdentRule> parse() {
    const AuthToken* map = next_token("map's name");
    const AuthToken* system = map == nullptr ? nullptr : next_token("name from outside");
    const AuthToken* role = system == nullptr ? nullptr : next_token("role");
    if (role == nullptr) return std::nullopt;
    rule_.map = map->text;
    const bool has_system = read_system(*system);
    const bool has_role = read_role(*role);
    if (!has_system || !has_role) return std::nullopt;
    if (at_ < line_.fields.size()) {
      document_.warning(line_.fields[at_].front(),
                        "what follows the role is ignored, as in PostgreSQL");
    }
    return std::move(rule_);
  }

 private:
  const AuthToken* next_token(std::string_view what) {
    if (at_ == line_.fields.size()) {
      document_.error_at_end(line_, fmt::format("the line ends before the {}", what),
                             "a line is: MAP SYSTEM-NAME ROLE");
      return nullptr;
    }
    const AuthField& field = line_.fields[at_++];
    if (field.size() == 1) return &field.front();
    document_.error(field[1], fmt::format("there is more than one {}", what),
                    "write one line for each");
    return nullptr;
  }

  void complain(const AuthToken& token, const std::string& reason) {
    document_.error(token,
                    fmt::format("invalid regular expression \"{}\": {}",
                                printable(token.text.substr(1)), reason),
                    "a name that begins with a slash is a regular expression");
  }

  bool read_system(const AuthToken& token) {
    rule_.system_name = token.text;
    if (!token.text.starts_with('/')) return true;
    auto regex = Regex::compile(std::string_view(token.text).substr(1));
    if (!regex) {
      complain(token, regex.error());
      return false;
    }
    rule_.system_regex = *std::move(regex);
    return true;
  }

  // \1 is one only behind a regular expression, and not in a +group or another regular expression.
  bool read_role(const AuthToken& token) {
    const bool is_group = !token.is_quoted && token.text.starts_with('+');
    const std::size_t mark = token.text.find(group_mark);
    const bool is_plain = !is_group && !token.text.starts_with('/');
    if (is_plain && mark != std::string::npos && rule_.system_regex) {
      return read_substitution(token, mark);
    }
    auto added = rule_.role.add(token, NameList::Of::roles);
    if (!added) complain(token, added.error());
    rule_.role.finish();
    return added.has_value();
  }

  bool read_substitution(const AuthToken& token, std::size_t mark) {
    const char* wrong = nullptr;
    if (!rule_.system_regex->has_group()) {
      wrong =
          "\\1 stands for what the first parentheses matched, and the regular expression has none";
    } else if (rule_.system_regex->group_is_repeated()) {
      wrong = "\\1 stands for what the first parentheses matched, and those are repeated";
    }
    if (wrong != nullptr) {
      document_.error(token, wrong,
                      "put parentheses around all that \\1 is to be: /^(.*)@example\\.com$");
      return false;
    }
    rule_.has_substitution = true;
    rule_.before = token.text.substr(0, mark);
    rule_.behind = token.text.substr(mark + group_mark.size());
    return true;
  }

  AuthDocument& document_;
  const AuthLine& line_;
  std::size_t at_ = 0;
  IdentRule rule_;
};

bool is_put_together(std::string_view whole, std::string_view before, std::string_view middle,
                     std::string_view behind) {
  return whole.size() == before.size() + middle.size() + behind.size() &&
         whole.starts_with(before) && whole.ends_with(behind) &&
         whole.substr(before.size(), middle.size()) == middle;
}

// What the rule says of the two names; `is_last_word`: the search ends even if it says no.
IdentMatch try_rule(const IdentRule& rule, std::string_view system_name, std::string_view role,
                    const Membership& membership, bool& is_last_word) {
  using Kind = IdentMatch::Kind;
  if (!rule.system_regex && rule.system_name != system_name) return {};
  if (rule.has_substitution) {
    const auto group = rule.system_regex->find_group(system_name);
    // The expression matched by another way than its first parentheses: an error in PostgreSQL, and its end.
    is_last_word = !group && rule.system_regex->matches(system_name);
    const bool fits = group && is_put_together(role, rule.before, *group, rule.behind);
    return fits ? IdentMatch{Kind::rule, &rule, {}} : IdentMatch{};
  }
  if (rule.system_regex && !rule.system_regex->matches(system_name)) return {};
  const NameList::Answer answer = rule.role.has_role(role, membership);
  switch (answer.known) {
    case Known::no:
      return {};
    case Known::yes:
      return {Kind::rule, &rule, {}};
    case Known::unknown:
      return {Kind::needs_membership, &rule, answer.group};
  }
  return {};
}

}  // namespace

bool Ident::has_map(std::string_view map) const {
  return std::any_of(rules_.begin(), rules_.end(),
                     [&](const IdentRule& rule) { return rule.map == map; });
}

IdentMatch Ident::match(std::string_view map, std::string_view system_name, std::string_view role,
                        const Membership& membership) const {
  // Nothing is matched against half of a name.
  if (system_name.size() > regex_subject_max || role.size() > regex_subject_max) return {};
  if (map.empty()) {
    return {system_name == role ? IdentMatch::Kind::rule : IdentMatch::Kind::none, nullptr, {}};
  }
  for (const IdentRule& rule : rules_) {
    if (rule.map != map) continue;
    bool is_last_word = false;
    const IdentMatch found = try_rule(rule, system_name, role, membership, is_last_word);
    if (found.kind != IdentMatch::Kind::none || is_last_word) return found;
  }
  return {};
}

Result<Ident, Diagnostics> load_ident(const std::string& path, AuthFiles& files) {
  AuthDocument document(path, files);
  std::vector<IdentRule> rules;
  for (const AuthLine& line : document.lines()) {
    if (auto rule = LineParser(document, line).parse()) rules.push_back(*std::move(rule));
  }
  if (document.has_errors()) return Unexpected(document.take_diagnostics());
  return Ident(std::move(rules));
}

Diagnostics warn_of_unknown_maps(const Hba& hba, const Ident& ident) {
  Diagnostics warnings;
  for (const HbaRule& rule : hba.rules()) {
    const std::string& map = rule.options.map;
    if (map.empty() || ident.has_map(map) || !is_supported(rule.method)) continue;
    warnings.push_back(
        {Severity::warning,
         rule.file,
         {rule.line, 0},
         {},
         fmt::format("nobody can log in by this line: the map \"{}\" is not in ident_file", map),
         "add the map to ident_file: MAP SYSTEM-NAME ROLE",
         {}});
  }
  return warnings;
}

}  // namespace pgring
