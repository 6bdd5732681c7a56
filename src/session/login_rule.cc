#include "src/session/login_rule.h"

#include <fmt/format.h>

#include "src/base/check.h"

namespace pgring {
namespace {

HbaMethod method_of(AuthMethod method) {
  switch (method) {
    case AuthMethod::trust:
      return HbaMethod::trust;
    case AuthMethod::md5:
      return HbaMethod::md5;
    case AuthMethod::scram_sha_256:
      return HbaMethod::scram_sha_256;
  }
  POOLER_UNREACHABLE();
}

}  // namespace

LoginRule find_login_rule(const Config& config, const LoginAsked& asked) {
  if (!config.access.hba) return {true, method_of(config.auth.method), nullptr};
  HbaRequest request;
  const auto address = asked.peer.ip();
  request.kind = !address             ? HbaRequest::Kind::unix_socket
                 : asked.is_encrypted ? HbaRequest::Kind::tls
                                      : HbaRequest::Kind::tcp;
  if (address) request.address = *address;
  request.database = asked.database;
  request.role = asked.role;
  request.is_physical_replication = asked.is_physical_replication;
  request.interfaces = config.access.interfaces;
  const HbaMatch match = config.access.hba->match(request, OnlyItself{});
  // What cannot be decided lets nobody in.
  if (match.kind != HbaMatch::Kind::rule) return {};
  return {true, match.rule->method, match.rule};
}

bool wants_certificate(const HbaRule& line) {
  return line.method == HbaMethod::cert ||
         line.options.client_certificate != ClientCertificate::not_asked_for;
}

bool names_role_by_certificate(const HbaRule& line) {
  return line.method == HbaMethod::cert ||
         line.options.client_certificate == ClientCertificate::verify_full;
}

bool needs_secret(HbaMethod method) {
  return method == HbaMethod::password || method == HbaMethod::md5 ||
         method == HbaMethod::scram_sha_256;
}

std::string refusal_text(const LoginRule& rule, const LoginAsked& asked) {
  const auto address = asked.peer.ip();
  const std::string host = address ? address->unmapped().text() : "[local]";
  const std::string_view encryption = asked.is_encrypted ? "SSL encryption" : "no encryption";
  if (asked.is_physical_replication) {
    return fmt::format("{} host \"{}\", user \"{}\", {}",
                       rule.exists ? "pg_hba.conf rejects replication connection for"
                                   : "no pg_hba.conf entry for replication connection from",
                       host, asked.role, encryption);
  }
  return fmt::format(
      "{} host \"{}\", user \"{}\", database \"{}\", {}",
      rule.exists ? "pg_hba.conf rejects connection for" : "no pg_hba.conf entry for", host,
      asked.role, asked.database, encryption);
}

std::string place_of(const LoginRule& rule) {
  return rule.line == nullptr ? std::string{}
                              : fmt::format("{}:{}", rule.line->file, rule.line->line);
}

}  // namespace pgring
