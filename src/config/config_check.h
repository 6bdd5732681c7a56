// What no single key can tell: rules between keys, and between the config and the system's limits.
//
// What:   check_config adds errors and warnings to `source`; it changes nothing in `config`.
// Errors: an absence is reported only where the whole file could be read.
#pragma once

#include "src/config/config_reader.h"

namespace pgring {

void check_config(const Config& config, ConfigSource& source);

// About the users known at last: after the userlist was read and role passwords laid over it.
void check_users(const Config& config, ConfigSource& source);

}  // namespace pgring
