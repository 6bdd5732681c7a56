#include "src/console/command.h"

#include <algorithm>
#include <array>
#include <optional>

#include "src/base/near_match.h"
#include "src/console/token.h"
#include "wire/sqlstate.h"

namespace pgring::console {
namespace {

using Tokens = std::span<const Token>;
using ReadCommand = Result<Command, CommandError>;

constexpr std::array<std::pair<std::string_view, Topic>, 20> topics{{
    {"VERSION", Topic::version},
    {"POOLS", Topic::pools},
    {"CLIENTS", Topic::clients},
    {"SERVERS", Topic::servers},
    {"DATABASES", Topic::databases},
    {"CONFIG", Topic::config},
    {"STATS", Topic::stats},
    {"STATS_TOTALS", Topic::stats_totals},
    {"STATS_AVERAGES", Topic::stats_averages},
    {"TOTALS", Topic::totals},
    {"LISTS", Topic::lists},
    {"SHARDS", Topic::shards},
    {"BUDGET", Topic::budget},
    {"WAITS", Topic::waits},
    {"PINS", Topic::pins},
    {"PINS_TOTALS", Topic::pins_totals},
    {"STATEMENTS", Topic::statements},
    {"TLS", Topic::tls},
    {"STATE", Topic::state},
    {"HELP", Topic::help},
}};

// What drivers set or look at when they connect.
constexpr std::array<ConsoleParameter, 11> parameters{{
    {"application_name", ""},
    {"client_encoding", "UTF8"},
    {"datestyle", "ISO, MDY"},
    {"default_transaction_isolation", "read committed"},
    {"default_transaction_read_only", "off"},
    {"extra_float_digits", "1"},
    {"search_path", ""},
    {"standard_conforming_strings", "on"},
    {"statement_timeout", "0"},
    {"timezone", "GMT"},
    {"transaction_isolation", "read committed"},
}};

constexpr std::string_view help =
    "\n\tSHOW HELP|VERSION|CONFIG|DATABASES|POOLS|CLIENTS|SERVERS|SHARDS|LISTS|STATE"
    "\n\tSHOW BUDGET|WAITS"
    "\n\tSHOW PINS|PINS_TOTALS|STATEMENTS|TLS"
    "\n\tSHOW STATS|STATS_TOTALS|STATS_AVERAGES|TOTALS"
    "\n\tRELOAD"
    "\n\tPAUSE [<database>]"
    "\n\tRESUME [<database>]"
    "\n\tRECONNECT [<database>]"
    "\n\tKILL_CLIENT <client_id>"
    "\n\tSHUTDOWN"
    "\n\tSHUTDOWN WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS";

// How much of an unknown word an error repeats.
constexpr std::size_t word_shown_max = 63;

std::string in_quotes(std::string_view word) {
  return "\"" + std::string{word.substr(0, word_shown_max)} + "\"";
}

Unexpected<CommandError> syntax_error(std::string message, std::string hint) {
  return Unexpected{
      CommandError{wire::sqlstate::syntax_error, std::move(message), std::move(hint)}};
}

Unexpected<CommandError> not_expected(const Token& token) {
  return syntax_error("syntax error at or near " + in_quotes(token.text),
                      "SHOW HELP lists the commands.");
}

Unexpected<CommandError> unknown(std::string what, std::string_view near) {
  return syntax_error(std::move(what), near.empty() ? std::string{"SHOW HELP lists the commands."}
                                                    : "Did you mean " + std::string{near} +
                                                          "? SHOW HELP lists the commands.");
}

ReadCommand plain(Verb verb, std::string_view tag, Tokens rest) {
  if (!rest.empty()) return not_expected(rest.front());
  return Command{.verb = verb, .tag = tag};
}

enum class Argument : std::uint8_t { may, must };

ReadCommand with_argument(Verb verb, std::string_view tag, Tokens rest, Argument need) {
  if (rest.empty() && need == Argument::must) {
    return syntax_error(std::string{tag} + " needs an argument", "SHOW HELP lists the commands.");
  }
  if (rest.empty()) return Command{.verb = verb, .tag = tag};
  if (rest.front().kind == Token::Kind::character) return not_expected(rest.front());
  if (rest.size() > 1) return not_expected(rest[1]);
  // An empty name in quotes would read as "all" further on.
  if (rest.front().text.empty())
    return syntax_error("zero-length argument of " + std::string{tag}, {});
  return Command{.verb = verb, .tag = tag, .argument = rest.front().text};
}

const ConsoleParameter* find_console_parameter(const Token& name) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  const auto at = std::ranges::find_if(parameters, [&](const auto& known) {
    return std::ranges::equal(known.name, name.text, {}, {}, lower);
  });
  return at == parameters.end() ? nullptr : &*at;
}

ReadCommand read_show(Tokens rest) {
  constexpr std::string_view tag = "SHOW";
  if (rest.empty()) return syntax_error("SHOW needs to know what", "SHOW HELP lists the commands.");
  const Token& what = rest.front();
  for (const auto& [name, topic] : topics) {
    if (!what.is(name)) continue;
    if (rest.size() > 1) return not_expected(rest[1]);
    return Command{.verb = Verb::show, .topic = topic, .tag = tag};
  }
  const auto parameter = [&](std::string_view name) {
    return Command{
        .verb = Verb::show, .topic = Topic::parameter, .tag = tag, .argument = std::string{name}};
  };
  if (rest.size() == 3 && what.is("TRANSACTION") && rest[1].is("ISOLATION") &&
      rest[2].is("LEVEL")) {
    return parameter("transaction_isolation");
  }
  if (rest.size() == 2 && what.is("TIME") && rest[1].is("ZONE")) return parameter("timezone");
  if (const auto* known = find_console_parameter(what)) {
    if (rest.size() > 1) return not_expected(rest[1]);
    return parameter(known->name);
  }
  std::array<std::string_view, topics.size()> names;
  std::ranges::transform(topics, names.begin(), [](const auto& entry) { return entry.first; });
  const auto near = near_match(what.text, names);
  return unknown("SHOW " + in_quotes(what.text) + " is not known",
                 near.empty() ? std::string{} : "SHOW " + std::string{near});
}

// The value is not looked at: these parameters mean nothing here.
ReadCommand read_set(Tokens rest) {
  Command command{.verb = Verb::set, .tag = "SET"};
  if (!rest.empty() && (rest.front().is("SESSION") || rest.front().is("LOCAL")))
    rest = rest.subspan(1);
  if (rest.empty()) return syntax_error("SET needs a parameter", {});
  const bool has_value = rest.size() >= 3 && (rest[1].is('=') || rest[1].is("TO"));
  if (rest.front().is("CHARACTERISTICS") || rest.front().is("TRANSACTION")) return command;
  if (rest.front().is("NAMES") ||
      (rest.size() >= 3 && rest.front().is("TIME") && rest[1].is("ZONE")))
    return command;
  if (find_console_parameter(rest.front()) == nullptr) {
    return Unexpected{CommandError{
        wire::sqlstate::undefined_object,
        "the console has no parameter " + in_quotes(rest.front().text),
        "pgring's settings are in its configuration file: change it there, then RELOAD."}};
  }
  if (!has_value)
    return rest.size() > 1 ? not_expected(rest[1]) : syntax_error("SET needs a value", {});
  return command;
}

ReadCommand read_shutdown(Tokens rest) {
  constexpr std::string_view tag = "SHUTDOWN";
  if (rest.empty()) return Command{.verb = Verb::shutdown, .tag = tag};
  if (rest.size() > 1) return not_expected(rest[1]);
  if (rest.front().is("WAIT_FOR_SERVERS"))
    return Command{.verb = Verb::shutdown_wait_for_servers, .tag = tag};
  if (rest.front().is("WAIT_FOR_CLIENTS"))
    return Command{.verb = Verb::shutdown_wait_for_clients, .tag = tag};
  return not_expected(rest.front());
}

// What drivers and their connection pools send around the application's own statements.
std::optional<ReadCommand> read_session_command(const Token& verb, Tokens rest) {
  const auto acknowledged = [](std::string_view tag) {
    return Command{.verb = Verb::acknowledge, .tag = tag};
  };
  const bool all = rest.size() == 1 && (rest.front().is("ALL") || rest.front().is('*'));
  if (verb.is("BEGIN")) return acknowledged("BEGIN");  // with whatever options
  if (verb.is("START") && !rest.empty() && rest.front().is("TRANSACTION"))
    return acknowledged("START TRANSACTION");
  if (verb.is("COMMIT") || verb.is("END")) return acknowledged("COMMIT");
  if (verb.is("ROLLBACK") || verb.is("ABORT")) return acknowledged("ROLLBACK");
  if (verb.is("RESET") && !rest.empty()) return acknowledged("RESET");
  if (verb.is("CLOSE") && all) return acknowledged("CLOSE CURSOR ALL");
  if (verb.is("UNLISTEN") && all) return acknowledged("UNLISTEN");
  if (verb.is("DISCARD") && all) return Command{.verb = Verb::deallocate_all, .tag = "DISCARD ALL"};
  if (verb.is("DEALLOCATE")) {
    if (!rest.empty() && rest.front().is("PREPARE")) rest = rest.subspan(1);
    if (rest.size() == 1 && rest.front().is("ALL"))
      return Command{.verb = Verb::deallocate_all, .tag = "DEALLOCATE ALL"};
    return with_argument(Verb::deallocate, "DEALLOCATE", rest, Argument::must);
  }
  return std::nullopt;
}

ReadCommand read_command(Tokens tokens) {
  const Token& verb = tokens.front();
  const Tokens rest = tokens.subspan(1);
  for (const Token& token : tokens) {
    if (token.kind == Token::Kind::word && token.text.starts_with('$')) {
      return Unexpected{CommandError{wire::sqlstate::feature_not_supported,
                                     "the console takes no parameters",
                                     "Put the value into the command's text."}};
    }
  }
  if (verb.is("SHOW") || verb.is("SELECT")) return read_show(rest);
  if (verb.is("SET")) return read_set(rest);
  if (verb.is("RELOAD")) return plain(Verb::reload, "RELOAD", rest);
  if (verb.is("PAUSE")) return with_argument(Verb::pause, "PAUSE", rest, Argument::may);
  if (verb.is("RESUME")) return with_argument(Verb::resume, "RESUME", rest, Argument::may);
  if (verb.is("RECONNECT")) return with_argument(Verb::reconnect, "RECONNECT", rest, Argument::may);
  if (verb.is("KILL_CLIENT"))
    return with_argument(Verb::kill_client, "KILL_CLIENT", rest, Argument::must);
  if (verb.is("SHUTDOWN")) return read_shutdown(rest);
  if (const auto session = read_session_command(verb, rest)) return *session;
  constexpr std::array<std::string_view, 8> verbs{"SHOW",      "RELOAD",      "PAUSE",    "RESUME",
                                                  "RECONNECT", "KILL_CLIENT", "SHUTDOWN", "SET"};
  return unknown("the console has no command " + in_quotes(verb.text),
                 near_match(verb.text, verbs));
}

}  // namespace

Result<std::vector<Command>, CommandError> read_commands(std::string_view text) {
  const auto tokens = read_tokens(text);
  if (!tokens) return syntax_error(tokens.error(), {});
  std::vector<Command> commands;
  Tokens rest{*tokens};
  while (!rest.empty()) {
    const auto end = std::ranges::find_if(rest, [](const Token& token) { return token.is(';'); });
    const auto count = static_cast<std::size_t>(end - rest.begin());
    if (count > 0) {
      auto command = read_command(rest.first(count));
      if (!command) return Unexpected{std::move(command).error()};
      commands.push_back(std::move(*command));
    }
    rest = rest.subspan(std::min(count + 1, rest.size()));
  }
  return commands;
}

bool is_control(Verb verb) {
  switch (verb) {
    case Verb::show:
    case Verb::set:
    case Verb::acknowledge:
    case Verb::deallocate:
    case Verb::deallocate_all:
      return false;
    case Verb::reload:
    case Verb::pause:
    case Verb::resume:
    case Verb::reconnect:
    case Verb::kill_client:
    case Verb::shutdown:
    case Verb::shutdown_wait_for_servers:
    case Verb::shutdown_wait_for_clients:
      return true;
  }
  return true;
}

std::span<const ConsoleParameter> console_parameters() { return parameters; }

std::string_view help_text() { return help; }

}  // namespace pgring::console
