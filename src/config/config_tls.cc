#include "src/config/config_tls.h"

#include "src/config/config_load.h"
#include "src/tls/tls_context.h"

namespace pgring {
namespace {

std::shared_ptr<const TlsContext> load_side(TlsSide side, const TlsOptions& as_written,
                                            const std::string& config_path,
                                            const std::string& section, ConfigSource& source) {
  if (as_written.mode == TlsMode::disable) return nullptr;
  TlsOptions options = as_written;
  for (std::string* const file :
       {&options.cert_file, &options.key_file, &options.ca_file, &options.crl_file}) {
    if (!file->empty() && !(file == &options.ca_file && *file == "system"))
      *file = path_beside(config_path, *file);
  }
  auto loaded = TlsContext::load(side, options, tls_now());
  if (!loaded) {
    const TlsProblem& problem = loaded.error();
    source.error(section + "." + problem.setting, problem.message, problem.hint);
    return nullptr;
  }
  for (const TlsProblem& problem : (*loaded)->warnings())
    source.warning(section + "." + problem.setting, problem.message, problem.hint);
  return std::move(loaded).value();
}

}  // namespace

void load_tls(const std::string& config_path, Config& config, ConfigSource& source) {
  config.tls_contexts.clients =
      load_side(TlsSide::to_clients, config.tls, config_path, "tls", source);
  for (const auto& [name, server] : config.servers) {
    const std::string section = entry_key("server", name) + ".tls";
    // As libpq: in plaintext nobody answers a direct handshake.
    const bool weak = server.tls.mode < TlsMode::require;
    if (server.tls.negotiation == TlsNegotiation::direct && weak) {
      source.error(section + ".negotiation", "\"direct\" is for modes that do without plaintext",
                   "set mode = \"require\" or better");
    }
    config.tls_contexts.servers[name] =
        load_side(TlsSide::to_servers, server.tls, config_path, section, source);
  }
}

}  // namespace pgring
