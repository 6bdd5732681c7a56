// The pooler itself: from a checked configuration to the exit code.
//
// What:   starts the shards, listens, serves until a signal or SHUTDOWN ends it.
// Owner:  main(), on the main thread. `config` outlives the call; a reload reads `config_path` anew.
// Errors: the exit code: 0 ended as asked, 69 no io_uring, 1 anything else.
#pragma once

#include <string>

#include "src/config/config.h"

namespace pgring {
int run_pooler(Config config, std::string config_path);
}  // namespace pgring
