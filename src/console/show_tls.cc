// SHOW TLS: the certificates in use and how long they are good.
#include "src/config/config_names.h"
#include "src/console/show.h"
#include "src/tls/tls_context.h"

namespace pgring::console {
namespace {

std::string_view use_text(CertificateUse use) {
  switch (use) {
    case CertificateUse::own:
      return "own";
    case CertificateUse::chain:
      return "chain";
    case CertificateUse::trusted:
      return "trusted";
  }
  POOLER_UNREACHABLE();
}

std::string_view state_text(const CertificateInfo& info, std::chrono::sys_seconds now) {
  if (now >= info.not_after) return "expired";
  if (now < info.not_before) return "not yet valid";
  return info.not_after - now < TlsContext::soon ? "expires soon" : "valid";
}

}  // namespace

Rows show_tls(const TlsContexts& contexts, std::chrono::sys_seconds now) {
  Rows rows{columns_of({.verb = Verb::show, .topic = Topic::tls})};
  for_each_context(contexts, [&](const std::string& side, const TlsContext& context) {
    for (const CertificateInfo& info : context.certificates()) {
      rows.text(side);
      rows.text(name_of(context.options().mode));
      rows.text(use_text(info.use));
      rows.text(info.subject);
      rows.text(info.issuer);
      rows.text(info.serial);
      rows.text(to_text(info.not_before));
      rows.text(to_text(info.not_after));
      rows.text(state_text(info, now));
      rows.text(info.file);
    }
  });
  return rows;
}

}  // namespace pgring::console
