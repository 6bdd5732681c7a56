// Rules of auth.role, auth.query and what belongs to them: a part of check_config.
//
// Errors: to `source`, at the key that has to change.
// Source: docs/config.md "[auth]".
#pragma once

#include "src/config/config_reader.h"

namespace pgring {

void check_lookups(const Config& config, ConfigSource& source);

}  // namespace pgring
