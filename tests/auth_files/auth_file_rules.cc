// What src/auth makes of hba and ident files, as text: tests/integration/test_auth_files.py compares it
// with what PostgreSQL makes of them.
//
//   auth_file_rules hba FILE                                      a line for each rule, or the errors
//   auth_file_rules ident FILE                                    likewise
//   auth_file_rules match FILE                                    for each line of stdin, KIND ADDRESS
//                                                                 DATABASE ROLE [GROUP…], the rule
//   auth_file_rules regex                                         for each pair of lines of stdin, a
//                                                                 pattern and a subject, what it matches
#include <array>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "src/auth/hba.h"
#include "src/auth/ident.h"
#include "src/auth/regex.h"

namespace {

using namespace pgring;

class Groups final : public Membership {
 public:
  explicit Groups(std::vector<std::string> groups) : groups_(std::move(groups)) {}
  [[nodiscard]] Known is_member(std::string_view role, std::string_view group) const override {
    if (role == group) return Known::yes;
    for (const std::string& known : groups_) {
      if (known == group) return Known::yes;
    }
    return Known::no;
  }

 private:
  std::vector<std::string> groups_;
};

int print_errors(const Diagnostics& errors) {
  for (const Diagnostic& error : errors) std::cout << to_string(error) << '\n';
  return 1;
}

std::string address_of(const HbaRule& rule) {
  if (rule.type == HbaType::local) return "-";
  switch (rule.address.kind) {
    case HbaAddress::Kind::all:
      return "all";
    case HbaAddress::Kind::same_host:
      return "samehost";
    case HbaAddress::Kind::same_net:
      return "samenet";
    case HbaAddress::Kind::host_name:
      return rule.address.host_name;
    case HbaAddress::Kind::range:
      return rule.address.base.text() + " " + rule.address.mask.text();
  }
  return {};
}

std::string options_of(const HbaRule& rule) {
  const HbaOptions& options = rule.options;
  const LdapOptions& ldap = options.ldap;
  std::ostringstream text;
  const auto put = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) text << ' ' << name << '=' << value;
  };
  put("map", options.map);
  switch (options.client_certificate) {
    case ClientCertificate::not_asked_for:
      break;
    case ClientCertificate::verify_ca:
      put("clientcert", "verify-ca");
      break;
    case ClientCertificate::verify_full:
      put("clientcert", "verify-full");
      break;
  }
  put("pamservice", options.pam_service);
  put("ldapserver", ldap.server);
  if (ldap.port != 0) put("ldapport", std::to_string(ldap.port));
  if (ldap.starts_tls) put("ldaptls", "true");
  put("ldapprefix", ldap.prefix);
  put("ldapsuffix", ldap.suffix);
  put("ldapbasedn", ldap.base_dn);
  put("ldapbinddn", ldap.bind_dn);
  put("ldapbindpasswd", ldap.bind_password.reveal());
  put("ldapsearchattribute", ldap.search_attribute);
  put("ldapsearchfilter", ldap.search_filter);
  return text.str();
}

int print_hba(const std::string& path) {
  DiskAuthFiles files;
  const auto loaded = load_hba(path, files);
  if (!loaded) return print_errors(loaded.error());
  for (const HbaRule& rule : loaded->hba.rules()) {
    std::cout << rule.file << ':' << rule.line << '\t' << to_string(rule.type) << '\t'
              << address_of(rule) << '\t' << to_string(rule.method) << '\t' << options_of(rule)
              << '\n';
  }
  return 0;
}

int print_ident(const std::string& path) {
  DiskAuthFiles files;
  const auto loaded = load_ident(path, files);
  if (!loaded) return print_errors(loaded.error());
  for (const IdentRule& rule : loaded->rules()) {
    std::cout << rule.file << ':' << rule.line << '\t' << rule.map << '\t' << rule.system_name
              << '\n';
  }
  return 0;
}

int match_lines(const std::string& path) {
  DiskAuthFiles files;
  const auto loaded = load_hba(path, files);
  if (!loaded) return print_errors(loaded.error());
  // The loopback, which is all that logins of tests come by.
  std::array<std::uint8_t, 16> loopback{};
  loopback[15] = 1;
  const std::array<InterfaceAddress, 2> interfaces{
      {{IpAddress::v4({127, 0, 0, 1}), IpAddress::mask(IpAddress::Family::v4, 8)},
       {IpAddress::v6(loopback), IpAddress::mask(IpAddress::Family::v6, 128)}}};
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string kind;
    std::string address;
    std::string database;
    std::string role;
    words >> kind >> address >> database >> role;
    std::vector<std::string> groups;
    for (std::string group; words >> group;) groups.push_back(group);
    HbaRequest request{.database = database, .role = role};
    request.kind = kind.starts_with("unix")  ? HbaRequest::Kind::unix_socket
                   : kind.starts_with("tls") ? HbaRequest::Kind::tls
                                             : HbaRequest::Kind::tcp;
    request.interfaces = interfaces;
    request.is_physical_replication = kind.ends_with("replication");
    const auto parsed = IpAddress::parse(address);
    if (parsed && *parsed) request.address = **parsed;
    const HbaMatch found = loaded->hba.match(request, Groups(groups));
    if (found.kind == HbaMatch::Kind::rule) {
      std::cout << found.rule->line << ' ' << to_string(found.rule->method) << '\n';
    } else {
      std::cout << (found.kind == HbaMatch::Kind::none ? "none" : "needs") << '\n';
    }
  }
  return 0;
}

int match_regexes() {
  std::string subject;
  for (std::string pattern; std::getline(std::cin, pattern) && std::getline(std::cin, subject);) {
    const auto regex = Regex::compile(pattern);
    if (!regex) {
      std::cout << "error: " << regex.error() << '\n';
    } else if (!regex->matches(subject)) {
      std::cout << "no\n";
    } else if (!regex->has_group() || regex->group_is_repeated()) {
      std::cout << "yes\n";
    } else {
      const auto group = regex->find_group(subject);
      std::cout << "yes " << (group ? "[" + std::string(*group) + "]" : "none") << '\n';
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.size() == 1 && words[0] == "regex") return match_regexes();
  if (words.size() == 2 && words[0] == "hba") return print_hba(words[1]);
  if (words.size() == 2 && words[0] == "ident") return print_ident(words[1]);
  if (words.size() == 2 && words[0] == "match") return match_lines(words[1]);
  std::cerr << "usage: auth_file_rules hba|ident|match FILE, or auth_file_rules regex\n";
  return 2;
}
