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
  request.kind = address ? HbaRequest::Kind::tcp : HbaRequest::Kind::unix_socket;
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

bool needs_secret(HbaMethod method) {
  return method == HbaMethod::password || method == HbaMethod::md5 ||
         method == HbaMethod::scram_sha_256;
}

std::string refusal_text(const LoginRule& rule, const LoginAsked& asked) {
  const auto address = asked.peer.ip();
  const std::string host = address ? address->unmapped().text() : "[local]";
  if (asked.is_physical_replication) {
    return fmt::format("{} host \"{}\", user \"{}\", no encryption",
                       rule.exists ? "pg_hba.conf rejects replication connection for"
                                   : "no pg_hba.conf entry for replication connection from",
                       host, asked.role);
  }
  return fmt::format(
      "{} host \"{}\", user \"{}\", database \"{}\", no encryption",
      rule.exists ? "pg_hba.conf rejects connection for" : "no pg_hba.conf entry for", host,
      asked.role, asked.database);
}

std::string place_of(const LoginRule& rule) {
  return rule.line == nullptr ? std::string{}
                              : fmt::format("{}:{}", rule.line->file, rule.line->line);
}

}  // namespace pgring
