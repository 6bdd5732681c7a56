// Secrets that stand elsewhere: { file = "…" }, { credential = "…" } and { env = "…" } in place of a string.
//
// What:   the reader notes each as a SecretReference; resolve_secrets, which needs the disk and the
//         environment, puts the secrets in.
// Life:   within one load_config; a reference points into the Config that is being read.
// Errors: each at the key's place: what is missing, and what to do about it. Never any of the secret's text.
// Source: systemd.exec(5), "Credentials".
#pragma once

#include <string_view>

#include "src/config/config_reader.h"

namespace pgring {

// Relative paths start at the directory of `config_path`.
void resolve_secrets(ConfigSource& source, std::string_view config_path);

}  // namespace pgring
