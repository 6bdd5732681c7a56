// startup_options.h: the startup parameter `options`, read as PostgreSQL's command line is.
//
// What:   -c name=value, -cname=value and --name=value, separated by white space; a backslash
//         takes the next byte as it is. '-' in a name means '_', as in PostgreSQL.
// Errors: anything else, with PostgreSQL's SQLSTATE and text where it has one. Its one-letter
//         switches (-e, -s, -f …) are refused: they cannot be replayed on another connection.
//         Every step consumes input, so any text comes to an end (CVE-2026-107349: "-c=").
// Source: PostgreSQL src/backend/utils/init/postinit.c (pg_split_opts),
//         src/backend/tcop/postgres.c (process_postgres_switches),
//         src/backend/utils/misc/guc.c (ParseLongOption).
#ifndef WIRE_STARTUP_OPTIONS_H_
#define WIRE_STARTUP_OPTIONS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/startup.h"

namespace wire {

struct StartupOption {
  std::string name;  // never empty
  std::string value;
  friend bool operator==(const StartupOption&, const StartupOption&) = default;
};

struct [[nodiscard]] StartupOptions {
  std::vector<StartupOption> settings;  // in the order given; the last of a name wins
  std::optional<StartupError> error;    // then `settings` is empty
};

StartupOptions parse_startup_options(std::string_view options);

}  // namespace wire

#endif  // WIRE_STARTUP_OPTIONS_H_
