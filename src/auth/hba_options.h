// How a rule of an hba file lets clients in: its method and the method's options.
//
// What:   every method and option that PostgreSQL 18 knows is read and checked as PostgreSQL does. Methods
//         that pgring does not have (is_supported) are no errors: a rule with one still ends the search,
//         and the login is refused. To skip the rule would let a later, weaker one decide.
// Life:   part of its rule.
// Source: PostgreSQL docs, auth-methods and below.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "src/base/secret.h"

namespace pgring {

enum class HbaMethod : std::uint8_t {
  reject,
  trust,
  password,
  md5,
  scram_sha_256,
  cert,
  peer,
  ldap,
  pam,
  ident,
  gss,
  sspi,
  radius,
  bsd,
  oauth,
};

enum class ClientCertificate : std::uint8_t { not_asked_for, verify_ca, verify_full };
enum class CertificateName : std::uint8_t { common_name, distinguished_name };
enum class LdapScope : std::uint8_t { base, one, subtree, children };

struct LdapOptions {
  std::string scheme;      // "ldap" or "ldaps"; empty: ldap
  std::string server;      // host names with blanks between them; empty: to be found in DNS
  std::uint16_t port = 0;  // 0: the scheme's
  bool starts_tls = false;
  std::string prefix;  // simple bind: around the role's name
  std::string suffix;
  std::string base_dn;  // search and bind
  std::string bind_dn;
  Secret bind_password;
  std::string search_attribute;  // empty: uid
  std::string search_filter;
  LdapScope scope = LdapScope::subtree;
};

struct HbaOptions {
  std::string map;  // of ident_file; empty: the names must be equal
  ClientCertificate client_certificate = ClientCertificate::not_asked_for;
  CertificateName certificate_name = CertificateName::common_name;
  std::string pam_service;  // empty: the default
  bool pam_uses_host_name = false;
  LdapOptions ldap;
};

[[nodiscard]] std::optional<HbaMethod> hba_method(std::string_view name);
[[nodiscard]] std::string_view to_string(HbaMethod method);
[[nodiscard]] bool is_supported(HbaMethod method);

}  // namespace pgring
