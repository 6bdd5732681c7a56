// What a SessionClient says.
#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "tests/simulation/session_client.h"
#include "wire/extended_query.h"
#include "wire/message_builder.h"

namespace sim {
namespace {

void append_number(std::string& out, std::uint32_t value, unsigned bytes) {
  while (bytes-- > 0) out += static_cast<char>(value >> (8 * bytes) & 0xff);
}

std::string message_of(char type, std::string_view body) {
  std::string message{type};
  append_number(message, static_cast<std::uint32_t>(body.size() + 4), 4);
  message += body;
  return message;
}

std::string number(std::uint64_t value) { return std::to_string(value); }

constexpr std::array<std::string_view, 6> settings{"application_name", "TimeZone", "search_path",
                                                   "work_mem",         "app.user", "other.key"};

}  // namespace

std::string SessionClient::mark() { return options_.name + '.' + number(++counter_); }

// The message goes out, and the direct connection says what must come back.
void SessionClient::say(char type, const std::string& message) {
  remember(readable_message(type, std::string_view{message}.substr(5)));
  output_ += message;
  std::string replies;
  direct_.message(type, std::string_view{message}.substr(5), replies);
  while (auto one = take_message(replies)) {
    failed_ = failed_ || one->first == 'E';
    if (one->first != 'S') expected_.push_back(std::move(*one));
  }
}

void SessionClient::next_burst() {
  failed_ = false;
  if (!group_open_ && direct_.status() == 'I' && random_.chance(30)) {
    std::string message;
    wire::append_query(message, forgetting_text());
    return say('Q', message);
  }
  for (auto groups = random_.between(1, 3); groups > 0; --groups) {
    group();
    if (failed_ && !options_.runs_ahead) return;
  }
}

void SessionClient::group() {
  if (!group_open_ && random_.chance(options_.alike)) return alike_group();
  // A Query in the middle of a group is dropped like the rest where it has failed; then nothing answers it.
  const bool open = group_open_;
  if (!open && random_.chance(400)) return simple_query();
  extended_group();
}

void SessionClient::cancellable_burst() {
  // It may also be too late: then it is to meet nobody else, nor what pgring asks before the next one comes.
  std::string text = "select '" + mark() + '\'';
  if (random_.chance(600)) text += " from pg_sleep(1)";
  if (random_.chance(400) && direct_.status() != 'E') text = setting_text() + ';' + text;
  std::string message;
  wire::append_query(message, text);
  remember("Q " + text);
  cancellable_ = message;
  output_ += message;
}

void SessionClient::simple_query() {
  const bool of_base = options_.has_base && !base_lost_ && random_.chance(100);
  std::string text = of_base ? "show lock_timeout" : any_text();
  while (random_.chance(150)) text += ';' + any_text();
  std::string message;
  wire::append_query(message, text);
  say('Q', message);
}

// As drivers do that prepare nothing.
void SessionClient::alike_group() {
  const std::string text = shared_text();
  const std::string name = random_.chance(200) ? "o" + number(++counter_) : "";
  parse(name, text);
  if (random_.chance(300)) describe('S', name);
  run(name, text);
  std::string message;
  wire::append_sync(message);
  say('S', message);
}

void SessionClient::extended_group() {
  for (auto steps = random_.between(1, 4); steps > 0; --steps) extended_step();
  // Who waits for an answer in the middle: what has failed is over with a Sync only.
  const bool waits = random_.chance(150) && !direct_.skipping();
  std::string message;
  if (waits) {
    wire::append_flush(message);
    group_open_ = true;
    return say('H', message);
  }
  wire::append_sync(message);
  group_open_ = false;
  say('S', message);
}

void SessionClient::extended_step() {
  const std::string name = "s" + number(random_.below(4));
  const auto known = direct_.statements().find(name);
  const bool is_there = known != direct_.statements().end();
  const std::string text = is_there ? known->second : any_text();
  const auto kind = random_.below(100);
  if (kind < 35) {
    // As drivers do: prepared once, then by its name.
    if (!is_there) parse(name, text);
    if (!is_there || (direct_.status() != 'E' && random_.chance(200))) describe('S', name);
    return run(name, text);
  }
  if (kind < 55) {
    const std::string once = any_text();
    parse("", once);
    if (random_.chance(300)) describe('S', "");
    return run("", once);
  }
  if (kind < 65) return close('S', name);
  if (kind < 75) {
    // The same name, another text.
    close('S', name);
    const std::string other = any_text();
    parse(name, other);
    return run(name, other);
  }
  if (kind < 80) return parse(name, any_text());  // an error, where it is there
  // Likewise, where it is not. One that is there cannot always be prepared elsewhere to be described there, where
  // the transaction has failed.
  if (kind < 84 && (!is_there || direct_.status() != 'E')) return describe('S', name);
  if (kind < 88) return run(name, text);  // likewise
  if (kind < 92 && !unnamed_unsure_) {
    // What was left of an earlier group, or is not there any more.
    const auto left = direct_.statements().find("");
    return run("", left == direct_.statements().end() ? "" : left->second);
  }
  if (kind < 94) return execute("no_portal");
  if (kind < 96) return parse(random_.chance(500) ? "" : "t" + number(++counter_), "selec nothing");
  if (kind < 98) return parse("t" + number(++counter_), "select 'once." + mark() + "'");
  return close('S', "");
}

void SessionClient::run(const std::string& statement, std::string_view text) {
  const std::string portal = random_.chance(100) ? "p" + number(++counter_) : "";
  bind(portal, statement, text);
  if (random_.chance(500)) describe('P', portal);
  execute(portal);
}

void SessionClient::parse(const std::string& name, const std::string& text) {
  std::string message;
  wire::append_parse(message, name, text, {});
  if (name.empty()) unnamed_unsure_ = direct_.skipping() && !options_.runs_ahead;
  say('P', message);
}

void SessionClient::bind(const std::string& portal, const std::string& statement,
                         std::string_view text) {
  std::string body = portal + '\0' + statement + '\0';
  append_number(body, 0, 2);
  const bool wants = text.find("$1") != std::string_view::npos;
  append_number(body, wants ? 1 : 0, 2);
  if (wants) {
    // What is bad is refused by the Bind.
    const std::string value = (random_.chance(50) ? "bad " : "") + mark();
    append_number(body, static_cast<std::uint32_t>(value.size()), 4);
    body += value;
  }
  append_number(body, 0, 2);
  say('B', message_of('B', body));
}

void SessionClient::describe(char kind, const std::string& name) {
  std::string message;
  wire::append_describe(message, {.kind = kind, .name = name});
  say('D', message);
}

void SessionClient::execute(const std::string& portal) {
  std::string body = portal + '\0';
  append_number(body, 0, 4);
  say('E', message_of('E', body));
}

void SessionClient::close(char kind, const std::string& name) {
  std::string message;
  wire::append_close(message, {.kind = kind, .name = name});
  if (name.empty() && direct_.skipping()) unnamed_unsure_ = true;
  say('C', message);
}

// Texts.

std::string SessionClient::any_text() {
  if (random_.chance(options_.sneaks)) return "select sneak('" + mark() + "')";
  const auto kind = random_.below(100);
  if (kind < 20) return shared_text();
  if (kind < 40) return "select '" + mark() + "'";
  if (kind < 62) return setting_text();
  if (kind < 82) return transaction_text();
  if (kind < 92) return state_text();
  if (kind < 97) return "select fail('" + mark() + "')";
  if (kind < 98 && options_.runs_ahead) return "deallocate all";
  if (kind < 99) {
    base_lost_ = true;
    return "reset all";
  }
  return "";
}

std::string SessionClient::shared_text() {
  return "select 'shared" + number(random_.below(6)) + " ' || $1";
}

std::string SessionClient::forgetting_text() {
  if (random_.chance(500)) return "deallocate all";
  base_lost_ = true;
  return "discard all";
}

std::string SessionClient::setting_text() {
  const std::string name{settings[random_.below(settings.size())]};
  const auto kind = random_.below(100);
  if (kind < 40) return "show " + name;
  if (kind < 55) return "reset " + name;
  if (kind < 62) return "set local " + name + " = '" + mark() + "'";
  if (kind < 75) return "set " + name + " = 'common" + number(random_.below(2)) + "'";
  return "set " + name + " = '" + mark() + "'";
}

std::string SessionClient::transaction_text() {
  if (direct_.status() == 'I') return random_.chance(800) ? "begin" : "commit";
  if (direct_.status() == 'E' && random_.chance(200)) return "select '" + mark() + "'";
  return random_.chance(500) ? "commit" : "rollback";
}

std::string SessionClient::state_text() {
  const bool lock = random_.chance(500);
  const std::string table = "temp_" + options_.name;
  const bool has =
      lock ? direct_.locks().contains(options_.name) : direct_.tables().contains(table);
  if (lock && has) return "select pg_advisory_unlock(" + options_.name + ')';
  if (lock) return "select pg_advisory_lock(" + options_.name + ')';
  if (!has && random_.chance(200)) return "select '" + mark() + "' from " + table;
  if (!has) return "create temp table " + table + " ()";
  if (random_.chance(500)) return "select '" + mark() + "' from " + table;
  return "drop table " + table;
}

}  // namespace sim
