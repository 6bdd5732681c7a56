// The files that [tls] and [server.NAME.tls] name, read into the contexts of Config::tls_contexts.
//
// Errors: to `source`, at the setting that names the file; what expires soon is a warning.
// Life:   within load_config(); reads files.
#pragma once

#include <string>

#include "src/config/config.h"
#include "src/config/config_reader.h"

namespace pgring {

void load_tls(const std::string& config_path, Config& config, ConfigSource& source);

}  // namespace pgring
