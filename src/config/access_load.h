// [auth] hba_file and ident_file: read, and held against what pgring can do.
//
// What:   fills Config::access. What PostgreSQL would do by asking somebody that pgring does not ask yet
//         (a directory, PAM, a certificate, who is in which group, what an address is called) is an error
//         of the line that wants it, at load and so at `pgring check` and RELOAD: not a surprise at a login.
// Life:   within load_config; reads files, so never on a shard.
// Errors: all at once, each with the file it is in and its line.
#pragma once

#include <string_view>

#include "src/auth/auth_file.h"
#include "src/config/config.h"
#include "src/config/config_reader.h"

namespace pgring {

// Relative paths start at the directory of `config_path`.
void load_access(Config& config, std::string_view config_path, AuthFiles& files,
                 ConfigSource& source);

}  // namespace pgring
