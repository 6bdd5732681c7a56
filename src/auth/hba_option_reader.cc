#include "src/auth/hba_option_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "src/auth/auth_secret_words.h"
#include "src/auth/ldap_url.h"
#include "src/base/near_match.h"

namespace pgring {
namespace {

// Which methods an option is for. An empty list: any.
struct OptionRow {
  std::string_view name;
  std::array<HbaMethod, 6> methods;
  std::size_t method_count;
};

template <class... Methods>
constexpr OptionRow option(std::string_view name, Methods... methods) {
  return {name, {methods...}, sizeof...(methods)};
}

using enum HbaMethod;
constexpr std::array known_options{
    option("map", ident, peer, gss, sspi, cert, oauth),
    option("clientcert"),
    option("clientname"),
    option("pamservice", pam),
    option("pam_use_hostname", pam),
    option("ldapurl", ldap),
    option("ldaptls", ldap),
    option("ldapscheme", ldap),
    option("ldapserver", ldap),
    option("ldapport", ldap),
    option("ldapbinddn", ldap),
    option("ldapbindpasswd", ldap),
    option("ldapsearchattribute", ldap),
    option("ldapsearchfilter", ldap),
    option("ldapbasedn", ldap),
    option("ldapprefix", ldap),
    option("ldapsuffix", ldap),
    option("krb_realm", gss, sspi),
    option("include_realm", gss, sspi),
    option("compat_realm", sspi),
    option("upn_username", sspi),
    option("radiusservers", radius),
    option("radiusports", radius),
    option("radiussecrets", radius),
    option("radiusidentifiers", radius),
    option("issuer", oauth),
    option("scope", oauth),
    option("validator", oauth),
    option("delegate_ident_mapping", oauth),
};

const OptionRow* find_option(std::string_view name) {
  const auto* found = std::find_if(known_options.begin(), known_options.end(),
                                   [&](const OptionRow& known) { return known.name == name; });
  return found == known_options.end() ? nullptr : found;
}

std::string nearest_option(std::string_view name) {
  std::array<std::string_view, known_options.size()> names;
  std::transform(known_options.begin(), known_options.end(), names.begin(),
                 [](const OptionRow& known) { return known.name; });
  const std::string_view near = near_match(name, names);
  return near.empty() ? std::string() : fmt::format("did you mean \"{}\"?", near);
}

std::string method_names(const OptionRow& known) {
  std::string names;
  for (std::size_t i = 0; i < known.method_count; ++i) {
    if (i > 0) names += i + 1 == known.method_count ? " and " : ", ";
    names += to_string(known.methods[i]);
  }
  return names;
}

// How many entries the list has; 0 if one is empty.
std::size_t count_entries(std::string_view list, bool are_ports) {
  std::size_t count = 0;
  for (;;) {
    const std::size_t end = list.find(',');
    std::string_view entry = list.substr(0, end);
    while (entry.starts_with(' ')) entry.remove_prefix(1);
    while (entry.ends_with(' ')) entry.remove_suffix(1);
    const bool is_number =
        !entry.empty() && entry.find_first_not_of("0123456789") == std::string_view::npos;
    if (entry.empty() || (are_ports && !is_number)) return 0;
    ++count;
    if (end == std::string_view::npos) return count;
    list.remove_prefix(end + 1);
  }
}

}  // namespace

void HbaOptionReader::error(std::string message, std::string hint) {
  is_wrong_ = true;
  document_.error(*at_, std::move(message), std::move(hint));
}

void HbaOptionReader::read(std::span<const AuthField> fields) {
  for (const AuthField& field : fields) {
    for (const AuthToken& token : field) {
      at_ = &token;
      read_one(token);
    }
  }
  at_ = &method_;
  if (!is_wrong_) check_combinations();  // what was wrong may be what is missing
}

void HbaOptionReader::read_one(const AuthToken& token) {
  const std::size_t equals = token.text.find('=');
  if (equals == std::string::npos) {
    const std::string shown = has_secret_ ? "***" : printable(token.text);
    return error(fmt::format("the authentication option {} is not of the form name=value", shown),
                 "a value with blanks or commas in it stands in quotes: \"name=value\"");
  }
  const std::string_view name = std::string_view(token.text).substr(0, equals);
  const std::string_view value = std::string_view(token.text).substr(equals + 1);
  if (names_auth_secret(name)) has_secret_ = true;
  if (!belongs(name)) return;
  // So does PostgreSQL with any option behind ldapurl, which makes the URL's scope that of a search below.
  rule_.options.ldap.scope = LdapScope::subtree;
  if (name == "map") return read_map(value);
  if (name == "clientcert") return read_client_certificate(value);
  if (name == "clientname") return read_certificate_name(value);
  if (name == "ldapurl") return read_ldap_url(value);
  if (name == "ldapscheme") return read_ldap_scheme(value);
  if (name == "ldapport") return read_ldap_port(value);
  if (name.starts_with("radius")) return read_list(name, value);
  if (read_ldap_text(name, value) || read_plain(name, value)) return;
  // Left over are krb_realm and validator: for methods that pgring does not have, and of any form.
}

// Whether there is such an option for the rule's method.
bool HbaOptionReader::belongs(std::string_view name) {
  const OptionRow* known = find_option(name);
  if (known == nullptr) {
    const std::string shown = has_secret_ ? "***" : printable(name);
    error(fmt::format("\"{}\" is not an authentication option", shown), nearest_option(name));
    return false;
  }
  const auto* end = known->methods.begin() + known->method_count;
  if (known->method_count == 0 || std::find(known->methods.begin(), end, rule_.method) != end)
    return true;
  error(fmt::format("the option {} is for the method{} {}, not for {}", name,
                    known->method_count > 1 ? "s" : "", method_names(*known),
                    to_string(rule_.method)));
  return false;
}

void HbaOptionReader::read_map(std::string_view value) { rule_.options.map = value; }

void HbaOptionReader::read_client_certificate(std::string_view value) {
  if (rule_.type != HbaType::hostssl) {
    return error("clientcert is for hostssl lines only", "make the line a hostssl line");
  }
  if (value == "verify-full") {
    rule_.options.client_certificate = ClientCertificate::verify_full;
  } else if (value == "verify-ca" && rule_.method == HbaMethod::cert) {
    error("with the method cert, clientcert can only be verify-full",
          "leave clientcert out: cert implies it");
  } else if (value == "verify-ca") {
    rule_.options.client_certificate = ClientCertificate::verify_ca;
  } else {
    error(fmt::format("clientcert cannot be \"{}\" (expected verify-ca or verify-full)",
                      printable(value)),
          value == "1" ? "PostgreSQL 13 and before called verify-ca so" : "");
  }
}

void HbaOptionReader::read_certificate_name(std::string_view value) {
  if (rule_.type != HbaType::hostssl) {
    return error("clientname is for hostssl lines only", "make the line a hostssl line");
  }
  if (value == "CN") {
    rule_.options.certificate_name = CertificateName::common_name;
  } else if (value == "DN") {
    rule_.options.certificate_name = CertificateName::distinguished_name;
  } else {
    error(fmt::format("clientname cannot be \"{}\" (expected CN or DN)", printable(value)));
  }
}

void HbaOptionReader::read_ldap_url(std::string_view value) {
  auto read = pgring::read_ldap_url(value, rule_.options.ldap);
  if (!read) error(std::move(read).error());
}

void HbaOptionReader::read_ldap_scheme(std::string_view value) {
  if (value != "ldap" && value != "ldaps") {
    return error(
        fmt::format("ldapscheme cannot be \"{}\" (expected ldap or ldaps)", printable(value)));
  }
  rule_.options.ldap.scheme = value;
}

void HbaOptionReader::read_ldap_port(std::string_view value) {
  std::uint16_t port = 0;
  const auto [end, wrong] = std::from_chars(value.data(), value.data() + value.size(), port);
  if (wrong != std::errc{} || end != value.data() + value.size() || port == 0) {
    return error(fmt::format("\"{}\" is not a port (expected 1 to 65535)", printable(value)));
  }
  rule_.options.ldap.port = port;
}

void HbaOptionReader::read_list(std::string_view name, std::string_view value) {
  const bool are_ports = name == "radiusports";
  const std::size_t count = count_entries(value, are_ports);
  if (count == 0) {
    return error(fmt::format("{} is not a list of {}", name, are_ports ? "port numbers" : "texts"),
                 fmt::format("several entries stand in quotes, with commas: \"{}=a,b\"", name));
  }
  if (name == "radiusservers") radius_servers_ = count;
  if (name == "radiussecrets") radius_secrets_ = count;
  if (name == "radiusports") radius_ports_ = count;
  if (name == "radiusidentifiers") radius_identifiers_ = count;
}

bool HbaOptionReader::read_ldap_text(std::string_view name, std::string_view value) {
  LdapOptions& ldap = rule_.options.ldap;
  const std::array<std::pair<std::string_view, std::string*>, 7> texts{{
      {"ldapserver", &ldap.server},
      {"ldapbinddn", &ldap.bind_dn},
      {"ldapsearchattribute", &ldap.search_attribute},
      {"ldapsearchfilter", &ldap.search_filter},
      {"ldapbasedn", &ldap.base_dn},
      {"ldapprefix", &ldap.prefix},
      {"ldapsuffix", &ldap.suffix},
  }};
  for (const auto& [known, text] : texts) {
    if (known == name) {
      *text = value;
      return true;
    }
  }
  return false;
}

bool HbaOptionReader::read_plain(std::string_view name, std::string_view value) {
  HbaOptions& options = rule_.options;
  if (name == "ldapbindpasswd") {
    options.ldap.bind_password = Secret(value);
  } else if (name == "pamservice") {
    options.pam_service = value;
  } else if (name == "pam_use_hostname") {
    options.pam_uses_host_name = read_switch(name, value);
  } else if (name == "ldaptls") {
    options.ldap.starts_tls = read_switch(name, value);
  } else if (name == "delegate_ident_mapping") {
    skips_map_ = read_switch(name, value);
  } else if (name == "include_realm" || name == "compat_realm" || name == "upn_username") {
    static_cast<void>(read_switch(name, value));
  } else if (name == "issuer") {
    has_issuer_ = true;
  } else if (name == "scope") {
    has_scope_ = true;
  } else {
    return false;
  }
  return true;
}

// PostgreSQL takes 1 for on, and anything else for off, "on" and "true" too.
bool HbaOptionReader::read_switch(std::string_view name, std::string_view value) {
  if (value != "1" && value != "0") {
    document_.warning(*at_,
                      fmt::format("{}={} means off, as in PostgreSQL", name, printable(value)),
                      fmt::format("{0}=1 is on, {0}=0 is off", name));
  }
  return value == "1";
}

void HbaOptionReader::check_combinations() {
  if (rule_.method == HbaMethod::ldap) check_ldap();
  if (rule_.method == HbaMethod::radius) check_radius();
  if (rule_.method == HbaMethod::oauth) {
    if (!has_issuer_ || !has_scope_) {
      error(fmt::format("the method oauth needs the option {}", has_issuer_ ? "scope" : "issuer"));
    }
    if (skips_map_ && !rule_.options.map.empty()) {
      error("map and delegate_ident_mapping exclude each other");
    }
  }
  if (rule_.method == HbaMethod::cert) {
    rule_.options.client_certificate = ClientCertificate::verify_full;
  }
}

void HbaOptionReader::check_ldap() {
  const LdapOptions& ldap = rule_.options.ldap;
  const bool is_simple = !ldap.prefix.empty() || !ldap.suffix.empty();
  const bool is_search = !ldap.base_dn.empty() || !ldap.bind_dn.empty() ||
                         !ldap.bind_password.empty() || !ldap.search_attribute.empty() ||
                         !ldap.search_filter.empty();
  if (is_simple && is_search) {
    error(
        "the options of a simple bind (ldapprefix, ldapsuffix) and of search and bind exclude each "
        "other");
  } else if (!is_simple && ldap.base_dn.empty()) {
    error("the method ldap needs ldapbasedn, ldapprefix or ldapsuffix");
  } else if (!ldap.search_attribute.empty() && !ldap.search_filter.empty()) {
    error("ldapsearchattribute and ldapsearchfilter exclude each other");
  }
}

void HbaOptionReader::check_radius() {
  if (radius_servers_ == 0 || radius_secrets_ == 0) {
    return error(fmt::format("the method radius needs the option {}",
                             radius_servers_ == 0 ? "radiusservers" : "radiussecrets"));
  }
  const auto fits = [&](std::size_t count) { return count <= 1 || count == radius_servers_; };
  if (!fits(radius_secrets_) || !fits(radius_ports_) || !fits(radius_identifiers_)) {
    error(
        "radiussecrets, radiusports and radiusidentifiers have one entry, or one for each of "
        "radiusservers");
  }
}

}  // namespace pgring
