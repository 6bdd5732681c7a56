#include <fmt/format.h>

#include <array>
#include <charconv>
#include <utility>

#include "src/auth/hba.h"
#include "src/auth/hba_option_reader.h"
#include "src/base/check.h"
#include "src/base/near_match.h"

namespace pgring {
namespace {

using Type = std::pair<std::string_view, HbaType>;
constexpr std::array<Type, 6> types{{
    {"local", HbaType::local},
    {"host", HbaType::host},
    {"hostssl", HbaType::hostssl},
    {"hostnossl", HbaType::hostnossl},
    {"hostgssenc", HbaType::hostgssenc},
    {"hostnogssenc", HbaType::hostnogssenc},
}};

template <std::size_t Count>
std::string nearest(std::string_view word, const std::array<std::string_view, Count>& known) {
  const std::string_view near = near_match(word, known);
  return near.empty() ? std::string() : fmt::format("did you mean \"{}\"?", near);
}

// Bits of a prefix: digits only.
std::optional<unsigned> prefix_bits(std::string_view text, IpAddress::Family family) {
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bits);
  const bool is_good = error == std::errc{} && end == text.data() + text.size() &&
                       bits <= IpAddress::bits_max(family);
  return is_good ? std::optional(bits) : std::nullopt;
}

// "10.0.0.256" is a host name for PostgreSQL, one that no client can have.
bool looks_like_an_address(std::string_view name) {
  return name.find_first_not_of("0123456789.") == std::string_view::npos ||
         name.find(':') != std::string_view::npos;
}

// One line to one rule. A function that gives false has said why.
class LineParser {
 public:
  LineParser(AuthDocument& document, const AuthLine& line) : document_(document), line_(line) {
    rule_.file = document.path_of(line);
    rule_.line = line.number;
  }

  std::optional<HbaRule> parse() {
    if (!read_type() || !read_names("database", NameList::Of::databases, rule_.databases) ||
        !read_names("role", NameList::Of::roles, rule_.roles)) {
      return std::nullopt;
    }
    if (rule_.type != HbaType::local && !read_address()) return std::nullopt;
    if (!read_method()) return std::nullopt;
    return std::move(rule_);
  }

 private:
  // The next field, which has to be there. Null, and said why, if it is not.
  const AuthField* next_field(std::string_view what) {
    if (at_ < line_.fields.size()) return &line_.fields[at_++];
    document_.error_at_end(line_, fmt::format("the line ends before the {}", what), shape());
    return nullptr;
  }

  // Likewise, with one token in it.
  const AuthToken* next_token(std::string_view what) {
    const AuthField* field = next_field(what);
    if (field == nullptr) return nullptr;
    if (field->size() == 1) return &field->front();
    document_.error((*field)[1], fmt::format("there is more than one {}", what),
                    "write one line for each");
    return nullptr;
  }

  [[nodiscard]] std::string shape() const {
    return rule_.type == HbaType::local ? "a line is: local DATABASE USER METHOD [OPTIONS]"
                                        : "a line is: TYPE DATABASE USER ADDRESS METHOD [OPTIONS]";
  }

  bool read_type() {
    const AuthToken* token = next_token("connection type");
    if (token == nullptr) return false;
    for (const auto& [name, type] : types) {
      if (token->text != name) continue;
      rule_.type = type;
      if (type == HbaType::hostgssenc) {
        document_.warning(*token,
                          "a hostgssenc line never matches: pgring has no GSSAPI encryption");
      }
      return true;
    }
    static constexpr std::array<std::string_view, 9> words{
        "local",        "host",    "hostssl",           "hostnossl",  "hostgssenc",
        "hostnogssenc", "include", "include_if_exists", "include_dir"};
    std::string hint = nearest(token->text, words);
    if (token->text.starts_with("include")) hint = "an include line is: include FILE";
    document_.error(*token,
                    fmt::format("\"{}\" is not a connection type (expected local, host, hostssl, "
                                "hostnossl, hostgssenc or hostnogssenc)",
                                printable(token->text)),
                    std::move(hint));
    return false;
  }

  bool read_names(std::string_view what, NameList::Of of, NameList& names) {
    const AuthField* field = next_field(what);
    if (field == nullptr) return false;
    bool is_good = true;
    for (const AuthToken& token : *field) {
      auto added = names.add(token, of);
      if (added) continue;
      is_good = false;
      document_.error(token,
                      fmt::format("invalid regular expression \"{}\": {}",
                                  printable(token.text.substr(1)), added.error()),
                      "a name that begins with a slash is a regular expression");
    }
    names.finish();
    return is_good;
  }

  bool read_address() {
    const AuthToken* token = next_token("address");
    if (token == nullptr) return false;
    if (token->is_keyword("all")) return true;
    HbaAddress& address = rule_.address;
    if (token->is_keyword("samehost") || token->is_keyword("samenet")) {
      address.kind =
          token->text == "samehost" ? HbaAddress::Kind::same_host : HbaAddress::Kind::same_net;
      return true;
    }
    const std::size_t slash = token->text.find('/');
    const std::string host = token->text.substr(0, slash);
    auto parsed = IpAddress::parse(host);
    if (!parsed) {
      document_.error(
          *token, fmt::format("\"{}\" is not an IP address: {}", printable(host), parsed.error()));
      return false;
    }
    if (!parsed->has_value()) return read_host_name(*token, host, slash != std::string::npos);
    address.kind = HbaAddress::Kind::range;
    address.base = **parsed;
    if (slash == std::string::npos) return read_mask();
    const IpAddress::Family family = address.base.family();
    const auto bits = prefix_bits(std::string_view(token->text).substr(slash + 1), family);
    if (!bits) {
      document_.error(*token, fmt::format("\"{}\" has no valid prefix length (expected 0 to {})",
                                          printable(token->text), IpAddress::bits_max(family)));
      return false;
    }
    address.mask = IpAddress::mask(family, *bits);
    return true;
  }

  bool read_host_name(const AuthToken& token, const std::string& name, bool has_slash) {
    if (has_slash) {
      document_.error(
          token,
          fmt::format("\"{}\" is neither an address with a prefix length nor a host name",
                      printable(token.text)),
          "a range is written 10.1.0.0/16 or fd00::/8; a host name has no prefix length");
      return false;
    }
    if (name.empty()) {
      document_.error(token, "the address is empty", "all is any address");
      return false;
    }
    if (looks_like_an_address(name)) {
      document_.warning(token, fmt::format("\"{}\" is not an address and is taken for a host name",
                                           printable(name)));
    }
    rule_.address.kind = HbaAddress::Kind::host_name;
    rule_.address.host_name = name;
    return true;
  }

  bool read_mask() {
    const std::size_t before = at_;
    const AuthToken* token = next_token("netmask");
    if (token == nullptr) return false;
    auto parsed = IpAddress::parse(token->text);
    if (!parsed || !parsed->has_value()) {
      const bool is_method =
          hba_method(token->text).has_value() && before + 1 >= line_.fields.size();
      document_.error(
          *token, fmt::format("\"{}\" is not a netmask", printable(token->text)),
          is_method ? "an address without a netmask needs a prefix length: /32, or /128 for IPv6"
                    : "an address is followed by its netmask, or has a prefix length: 10.1.0.0/16");
      return false;
    }
    rule_.address.mask = **parsed;
    if (rule_.address.mask.family() == rule_.address.base.family()) return true;
    document_.error(*token, "of address and netmask one is IPv4, the other IPv6");
    return false;
  }

  bool read_method() {
    const AuthToken* token = next_token("authentication method");
    if (token == nullptr) return false;
    const auto method = hba_method(token->text);
    if (!method) {
      static constexpr std::array<std::string_view, 10> words{
          "reject", "trust", "password", "md5", "scram-sha-256",
          "cert",   "peer",  "ldap",     "pam", "ident"};
      document_.error(*token,
                      fmt::format("\"{}\" is not an authentication method", printable(token->text)),
                      nearest(token->text, words));
      return false;
    }
    rule_.method = *method;
    const bool is_local = rule_.type == HbaType::local;
    if (is_local && *method == HbaMethod::ident)
      rule_.method = HbaMethod::peer;  // as PostgreSQL does
    const char* wrong = nullptr;
    if (is_local && *method == HbaMethod::gss) wrong = "the method gss is not for local lines";
    if (!is_local && *method == HbaMethod::peer) wrong = "the method peer is for local lines only";
    if (rule_.type != HbaType::hostssl && *method == HbaMethod::cert) {
      wrong = "the method cert is for hostssl lines only";
    }
    if (wrong != nullptr) {
      document_.error(*token, wrong);
      return false;
    }
    if (!is_supported(rule_.method)) {
      document_.warning(
          *token,
          fmt::format("pgring has no {} authentication: a login that this line is the first "
                      "to match is refused",
                      token->text));
    }
    HbaOptionReader(document_, rule_, *token).read(std::span(line_.fields).subspan(at_));
    return true;
  }

  AuthDocument& document_;
  const AuthLine& line_;
  std::size_t at_ = 0;
  HbaRule rule_;
};

}  // namespace

Result<LoadedHba, Diagnostics> load_hba(const std::string& path, AuthFiles& files) {
  AuthDocument document(path, files);
  std::vector<HbaRule> rules;
  for (const AuthLine& line : document.lines()) {
    if (auto rule = LineParser(document, line).parse()) rules.push_back(*std::move(rule));
  }
  if (rules.empty() && !document.has_errors()) {
    document.error("there is no rule in the file, so nobody could log in",
                   "a line is: host DATABASE USER ADDRESS METHOD");
  }
  if (document.has_errors()) return Unexpected(document.take_diagnostics());
  return LoadedHba{Hba(std::move(rules)), document.take_diagnostics()};
}

std::string_view to_string(HbaType type) {
  for (const auto& [name, known] : types) {
    if (known == type) return name;
  }
  POOLER_UNREACHABLE();
}

}  // namespace pgring
