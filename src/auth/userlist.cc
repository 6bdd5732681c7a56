#include "src/auth/userlist.h"

#include <fmt/format.h>
#include <string.h>  // explicit_bzero

#include <optional>

#include "src/base/utf8.h"

namespace pgring {
namespace {

class UserlistParser {
 public:
  UserlistParser(std::string_view text, std::string_view file) : source_(file, text) {}

  Result<UserList, Diagnostics> parse() {
    for (std::uint32_t number = 1; number <= source_.line_count(); ++number) {
      line_ = source_.line(number);
      line_start_ = source_.line_start(number);
      at_ = 0;
      if (number == 1 && line_.starts_with("\xEF\xBB\xBF")) at_ = 3;  // editors' byte order mark
      parse_line(number);
    }
    if (!errors_.empty()) return Unexpected(std::move(errors_));
    return std::move(users_);
  }

 private:
  void parse_line(std::uint32_t number) {
    skip_blanks();
    if (at_ == line_.size() || line_[at_] == ';' || line_[at_] == '#') return;
    const std::size_t name_at = at_;
    auto name = take_quoted("a role name in double quotes");
    if (!name || !check_name(*name, name_at)) return;
    const std::size_t gap_at = at_;
    skip_blanks();
    if (at_ == gap_at && at_ < line_.size()) {
      return error(at_, "expected a blank after the role name");
    }
    const std::size_t secret_at = at_;
    auto text = take_quoted("the role's secret in double quotes");
    if (!text) return;
    if (at_ < line_.size() && line_[at_] != ' ' && line_[at_] != '\t') {
      error(at_, "expected a blank or the line's end after the secret",
            "a quote inside a secret is written twice: \"\"");
    } else {
      add(*name, name_at, *text, secret_at, number);
    }
    explicit_bzero(text->data(), text->size());
  }

  void add(const std::string& name, std::size_t name_at, std::string_view text,
           std::size_t secret_at, std::uint32_t number) {
    if (text.size() > secret_size_max) {
      return error(secret_at, fmt::format("the secret is {} bytes long (at most {})", text.size(),
                                          secret_size_max));
    }
    auto kind = classify_secret(text);
    if (!kind) return error(secret_at, std::move(kind).error());
    const auto [first, is_new] = first_lines_.try_emplace(name, number);
    if (!is_new) {
      return error(name_at, fmt::format("role \"{}\" is listed twice (first on line {})", name,
                                        first->second));
    }
    users_.emplace(name, StoredSecret{Secret(text), *kind});
  }

  bool check_name(const std::string& name, std::size_t name_at) {
    if (name.empty()) {
      error(name_at, "the role name is empty");
      return false;
    }
    if (name.size() > role_name_size_max) {
      error(name_at, fmt::format("the role name is {} bytes long (PostgreSQL's limit is {})",
                                 name.size(), role_name_size_max));
      return false;
    }
    for (std::string_view rest = name; !rest.empty();) {
      const std::size_t length = utf8_length(rest);
      const bool is_control = static_cast<unsigned char>(rest[0]) < 0x20 || rest[0] == 0x7F;
      if (length == 0 || is_control) {
        error(name_at, length == 0 ? "the role name is not valid UTF-8"
                                   : "the role name has a control character in it");
        return false;
      }
      rest.remove_prefix(length);
    }
    return true;
  }

  // "…" with "" for a quote. On an error says what was `expected` and gives nullopt.
  std::optional<std::string> take_quoted(std::string_view expected) {
    const std::size_t start = at_;
    if (at_ == line_.size() || line_[at_] != '"') {
      error(at_, fmt::format("expected {}", expected),
            "a line is: \"role\" \"secret\" (comments begin with ; or #)");
      return std::nullopt;
    }
    std::string text;
    text.reserve(line_.size() - at_);  // no second copy of a secret left behind by growing
    for (++at_; at_ < line_.size(); ++at_) {
      if (line_[at_] == '\0') {
        error(at_, "a zero byte is not text");
        return std::nullopt;
      }
      if (line_[at_] != '"') {
        text += line_[at_];
        continue;
      }
      ++at_;
      if (at_ == line_.size() || line_[at_] != '"') return text;
      text += '"';
    }
    error(start, "the closing quote is missing on this line",
          "a quote inside a name or secret is written twice: \"\"");
    return std::nullopt;
  }

  void skip_blanks() {
    while (at_ < line_.size() && (line_[at_] == ' ' || line_[at_] == '\t')) ++at_;
  }

  void error(std::size_t at, std::string message, std::string hint = {}) {
    // Not SourceText::at(): every line of this file holds a secret, so none is shown.
    errors_.push_back({Severity::error,
                       source_.file(),
                       source_.position_of(line_start_ + at),
                       {},
                       std::move(message),
                       std::move(hint),
                       {}});
  }

  SourceText source_;
  UserList users_;
  std::map<std::string, std::uint32_t, std::less<>> first_lines_;
  Diagnostics errors_;
  std::string_view line_;
  std::size_t line_start_ = 0;
  std::size_t at_ = 0;
};

void append_quoted(std::string& line, std::string_view text) {
  line += '"';
  for (const char c : text) {
    if (c == '"') line += '"';
    line += c;
  }
  line += '"';
}

}  // namespace

Result<UserList, Diagnostics> parse_userlist(std::string_view text, std::string_view file) {
  return UserlistParser(text, file).parse();
}

Secret format_userlist_line(std::string_view role, const Secret& secret) {
  std::string line;
  line.reserve(2 * (role.size() + secret.size()) + 8);
  append_quoted(line, role);
  line += ' ';
  append_quoted(line, secret.reveal());
  Secret result(line);
  explicit_bzero(line.data(), line.size());
  return result;
}

}  // namespace pgring
