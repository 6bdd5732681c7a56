// Rules between the settings of the budget: minima, limits and reserves that cannot all hold.
//
// What:   check_budget is a part of check_config. What is impossible from the start is an error:
//         minima above a limit. What has no effect is a warning: a reserve that nobody can reach.
// Errors: to `source`, at the key that has to change.
// Source: docs/config.md "[server.NAME]", "[database.NAME]", "[role.NAME]".
#pragma once

#include "src/config/config_reader.h"

namespace pgring {

void check_budget(const Config& config, ConfigSource& source);

}  // namespace pgring
