// What a console client may ask, read from its text.
//
// What:   read_commands() turns the text of a Query or Parse into commands: SHOW and what drivers
//         send on connect for everybody, the control commands for admins. Whoever carries them out
//         checks who asks.
// Words:  case-insensitive; an argument is a word, "quoted" or 'quoted' (a quote is doubled
//         inside).
// Life:   a Command owns its argument; its tag is static text.
// Errors: one for the whole text, as PostgreSQL parses a script before it runs any of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"

namespace pgring::console {

enum class Verb : std::uint8_t {
  show,
  set,          // a parameter that drivers set; acknowledged
  acknowledge,  // BEGIN, COMMIT, DISCARD ALL …: nothing to do here
  deallocate,   // a statement of the extended protocol
  deallocate_all,
  reload,
  pause,
  resume,
  reconnect,
  kill_client,
  shutdown,  // now
  shutdown_wait_for_servers,
  shutdown_wait_for_clients,
};

enum class Topic : std::uint8_t {
  version,
  pools,
  clients,
  servers,
  databases,
  config,
  stats,
  stats_totals,
  stats_averages,
  totals,
  lists,
  shards,
  budget,
  waits,
  pins,
  pins_totals,
  statements,
  tls,
  state,
  help,
  parameter,  // one of those drivers look at: the argument
};

struct Command {
  Verb verb = Verb::acknowledge;
  Topic topic = Topic::help;  // of a SHOW
  std::string_view tag;       // of its CommandComplete
  std::string argument;       // database, client id, parameter, statement; empty: all
};

struct CommandError {
  std::string_view sqlstate;
  std::string message;
  std::string hint;
};

// In order; empty for a text without any command.
[[nodiscard]] Result<std::vector<Command>, CommandError> read_commands(std::string_view text);

// Changes pgring's state: for admins only.
[[nodiscard]] bool is_control(Verb verb);

// A parameter whose SET is acknowledged and that SHOW answers with a fixed value.
struct ConsoleParameter {
  std::string_view name;
  std::string_view value;  // application_name: the client's own is shown
};
[[nodiscard]] std::span<const ConsoleParameter> console_parameters();

// The DETAIL of SHOW HELP.
[[nodiscard]] std::string_view help_text();

}  // namespace pgring::console
