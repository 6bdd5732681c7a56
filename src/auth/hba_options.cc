#include "src/auth/hba_options.h"

#include <array>
#include <utility>

#include "src/base/check.h"

namespace pgring {
namespace {

using Named = std::pair<std::string_view, HbaMethod>;
constexpr std::array<Named, 15> methods{{
    {"reject", HbaMethod::reject},
    {"trust", HbaMethod::trust},
    {"password", HbaMethod::password},
    {"md5", HbaMethod::md5},
    {"scram-sha-256", HbaMethod::scram_sha_256},
    {"cert", HbaMethod::cert},
    {"peer", HbaMethod::peer},
    {"ldap", HbaMethod::ldap},
    {"pam", HbaMethod::pam},
    {"ident", HbaMethod::ident},
    {"gss", HbaMethod::gss},
    {"sspi", HbaMethod::sspi},
    {"radius", HbaMethod::radius},
    {"bsd", HbaMethod::bsd},
    {"oauth", HbaMethod::oauth},
}};

}  // namespace

std::optional<HbaMethod> hba_method(std::string_view name) {
  for (const auto& [known, method] : methods) {
    if (known == name) return method;
  }
  return std::nullopt;
}

std::string_view to_string(HbaMethod method) {
  for (const auto& [name, known] : methods) {
    if (known == method) return name;
  }
  POOLER_UNREACHABLE();
}

bool is_supported(HbaMethod method) {
  switch (method) {
    case HbaMethod::reject:
    case HbaMethod::trust:
    case HbaMethod::password:
    case HbaMethod::md5:
    case HbaMethod::scram_sha_256:
    case HbaMethod::cert:
    case HbaMethod::peer:
    case HbaMethod::ldap:
    case HbaMethod::pam:
      return true;
    case HbaMethod::ident:
    case HbaMethod::gss:
    case HbaMethod::sspi:
    case HbaMethod::radius:
    case HbaMethod::bsd:
    case HbaMethod::oauth:
      return false;
  }
  POOLER_UNREACHABLE();
}

}  // namespace pgring
