#include "src/config/access_load.h"

#include <fmt/format.h>

#include <utility>

#include "src/auth/interfaces.h"
#include "src/config/config_load.h"

namespace pgring {
namespace {

// The errors of a rule as a whole; where within its line does not matter any more.
class RuleErrors {
 public:
  RuleErrors(ConfigSource& source, const std::string& file, std::uint32_t line)
      : source_(source), file_(file), line_(line) {}

  void add(std::string message, std::string hint) {
    source_.errors.push_back(
        {Severity::error, file_, {line_, 0}, {}, std::move(message), std::move(hint), {}});
  }

  void refuse_groups(const NameList& names) {
    for (const std::string& group : names.groups()) {
      add(fmt::format("who is in the role \"{}\" only PostgreSQL knows, and pgring does not ask it",
                      printable(group)),
          "name the roles themselves, or read them from a file with @file");
    }
  }

 private:
  ConfigSource& source_;
  const std::string& file_;
  std::uint32_t line_;
};

void check_rule(const HbaRule& rule, const TlsOptions& tls, ConfigSource& source) {
  RuleErrors errors(source, rule.file, rule.line);
  switch (rule.method) {
    case HbaMethod::ldap:
    case HbaMethod::pam:
      errors.add(fmt::format("pgring has no {} authentication yet", to_string(rule.method)),
                 "use scram-sha-256, or reject to turn these logins away");
      break;
    case HbaMethod::cert:
    case HbaMethod::reject:
    case HbaMethod::trust:
    case HbaMethod::password:
    case HbaMethod::md5:
    case HbaMethod::scram_sha_256:
    case HbaMethod::peer:
    case HbaMethod::ident:
    case HbaMethod::gss:
    case HbaMethod::sspi:
    case HbaMethod::radius:
    case HbaMethod::bsd:
    case HbaMethod::oauth:
      break;
  }
  const bool certificates = rule.method == HbaMethod::cert ||
                            rule.options.client_certificate != ClientCertificate::not_asked_for;
  if (rule.type == HbaType::hostssl && tls.mode == TlsMode::disable) {
    errors.add("clients cannot use TLS ([tls] mode is \"disable\"), so no login would ever match",
               "set tls.mode, tls.cert_file and tls.key_file, or leave the line out");
  } else if (certificates && tls.ca_file.empty()) {
    errors.add("there is nothing to verify clients' certificates with",
               "set tls.ca_file to the certificates of those who sign them");
  }
  if (rule.address.kind == HbaAddress::Kind::host_name) {
    errors.add(fmt::format("pgring does not look up what addresses are called (\"{}\") yet",
                           printable(rule.address.host_name)),
               "write the address, with a prefix length: 10.1.2.3/32");
  }
  errors.refuse_groups(rule.databases);
  errors.refuse_groups(rule.roles);
  if (rule.databases.has_samerole()) {
    errors.add("samerole: who is in which role only PostgreSQL knows, and pgring does not ask it",
               "use sameuser, or name the databases");
  }
}

void check_rule(const IdentRule& rule, ConfigSource& source) {
  RuleErrors(source, rule.file, rule.line).refuse_groups(rule.role);
}

void append(Diagnostics& to, Diagnostics from) {
  for (Diagnostic& diagnostic : from) to.push_back(std::move(diagnostic));
}

void load_ident_file(Config& config, const std::string& path, AuthFiles& files,
                     ConfigSource& source) {
  auto ident = load_ident(path, files);
  if (!ident) return append(source.errors, std::move(ident.error()));
  for (const IdentRule& rule : ident->rules()) check_rule(rule, source);
  config.access.ident = std::move(*ident);
}

}  // namespace

void load_access(Config& config, std::string_view config_path, AuthFiles& files,
                 ConfigSource& source) {
  const AuthConfig& auth = config.auth;
  if (!auth.ident_file.empty()) {
    load_ident_file(config, path_beside(config_path, auth.ident_file), files, source);
    if (auth.hba_file.empty()) {
      source.warning("auth.ident_file", "its maps are for lines of an hba_file, and there is none",
                     "set auth.hba_file");
    }
  }
  if (auth.hba_file.empty()) return;
  if (source.has("auth.method")) {
    source.warning("auth.method", "it is not used: auth.hba_file says how each login is made",
                   "leave it out");
  }
  auto hba = load_hba(path_beside(config_path, auth.hba_file), files);
  if (!hba) return append(source.errors, std::move(hba.error()));
  append(source.warnings, std::move(hba->warnings));
  for (const HbaRule& rule : hba->hba.rules()) check_rule(rule, config.tls, source);
  append(source.warnings, warn_of_unknown_maps(hba->hba, config.access.ident));
  auto interfaces = read_interfaces();
  if (!interfaces) {
    source.error(
        "auth.hba_file",
        "cannot find out this machine's addresses (samehost, samenet): " + interfaces.error(), {});
    return;
  }
  config.access.interfaces = std::move(*interfaces);
  config.access.hba = std::move(hba->hba);
}

}  // namespace pgring
