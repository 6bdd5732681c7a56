// `pgring password ROLE`: a line for the userlist, from a password that nobody else sees.
//
// What:   asks twice at a terminal, with the echo off; else takes the first line of the standard input. Never an
//         argument: the process list and the shell's history show those.
// Errors: a text for stderr; then nothing was printed. A signal while it asks puts the terminal back first.
#pragma once

#include <cstdint>
#include <string>

#include "src/base/result.h"
#include "src/base/secret.h"
#include "src/process/cli.h"

namespace pgring {

// "role" "SCRAM-SHA-256$…", without its line end. `salt` in raw bytes, for SCRAM.
[[nodiscard]] Result<Secret, std::string> userlist_line(const PasswordOptions& options,
                                                        const Secret& password,
                                                        const std::string& salt);

// Asks and prints; the process's exit code.
[[nodiscard]] int run_password_command(const PasswordOptions& options);

}  // namespace pgring
