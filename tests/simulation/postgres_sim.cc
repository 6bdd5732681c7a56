#include "tests/simulation/postgres_sim.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <vector>

#include "wire/message_builder.h"

namespace sim {
namespace {

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

// The next message of `input`, taken out: its type and body; nothing: it is not whole yet.
std::optional<std::pair<char, std::string>> next_message(std::string& input) {
  if (input.size() < 5) return std::nullopt;
  const std::size_t size = std::size_t{1} + number_at(input, 1);
  if (input.size() < size) return std::nullopt;
  std::pair<char, std::string> message{input[0], input.substr(5, size - 5)};
  input.erase(0, size);
  return message;
}

ring::Duration any_time(Random& random, ring::Duration most) {
  return ring::Duration{
      static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(most.count()) + 1))};
}

}  // namespace

// Postgres.

void Postgres::accept(Endpoint end) {
  auto& backend = *backends_.emplace_back(std::make_unique<Backend>());
  backend.end = end;
  schedule(backend);
}

std::vector<std::uint32_t> Postgres::pids() const {
  std::vector<std::uint32_t> pids;
  for (const auto& backend : backends_)
    if (backend->started && !backend->closed) pids.push_back(backend->pid);
  std::ranges::sort(pids);
  return pids;
}

void Postgres::schedule(Backend& backend) {
  const bool slow = world_.random().chance(100);
  const auto longest = slow ? std::chrono::milliseconds{4} : std::chrono::milliseconds{1};
  world_.at(world_.now() + any_time(world_.random(), longest), [this, &backend] { act(backend); });
}

void Postgres::act(Backend& backend) {
  if (backend.closed) return;
  Random& random = world_.random();
  backend.held_back = 0;
  read(backend);
  if (backend.started && !backend.closing) {
    if (random.chance(habits_.notices)) notice(backend);
    if (random.chance(habits_.reloads)) {
      wire::append_parameter_status(backend.output, "in_hot_standby",
                                    ++reloads_ % 2 == 0 ? "off" : "on");
    }
    if (random.chance(habits_.goodbyes)) goodbye(backend);
  }
  flush(backend);
  const bool over = backend.end.ended() || (backend.closing && backend.output.empty());
  if (over) return close(backend);
  schedule(backend);
}

void Postgres::notify_all(bool whole) {
  for (const auto& backend : backends_) {
    if (backend->closed || !backend->started) continue;
    notice(*backend);
    if (!whole) backend->held_back = 10;
    flush(*backend);
  }
}

void Postgres::say_goodbye_to_all() {
  for (const auto& backend : backends_) {
    if (backend->closed || !backend->started) continue;
    goodbye(*backend);
    flush(*backend);
  }
}

void Postgres::notice(Backend& backend) {
  wire::append_notice_response(backend.output, {.severity = "NOTICE",
                                                .sqlstate = "00000",
                                                .message = "checkpoint in sight",
                                                .detail = {},
                                                .hint = {}});
}

void Postgres::goodbye(Backend& backend) {
  wire::append_error_response(backend.output,
                              {.severity = "FATAL",
                               .sqlstate = "57P01",
                               .message = "terminating connection due to administrator command",
                               .detail = {},
                               .hint = {}});
  backend.closing = true;
}

void Postgres::close(Backend& backend) {
  // The slot is free before the socket is.
  if (backend.started) --open_;
  backend.closed = true;
  backend.end.close();
}

void Postgres::flush(Backend& backend) {
  if (backend.output.size() <= backend.held_back) return;
  std::size_t size = backend.output.size() - backend.held_back;
  if (world_.random().chance(200)) size = world_.random().between(1, size);
  backend.output.erase(0, backend.end.write(std::string_view{backend.output}.substr(0, size)));
}

void Postgres::read(Backend& backend) {
  backend.input += backend.end.read(65536);
  if (!backend.started) return start(backend);
  while (!backend.closing) {
    const auto message = next_message(backend.input);
    if (!message) return;
    if (message->first == 'X') {
      backend.closing = true;
    } else if (message->first == 'Q') {
      query(backend, std::string_view{message->second}.substr(0, message->second.size() - 1));
    } else {
      world_.fail("PostgreSQL was sent a message it does not know");
    }
  }
}

void Postgres::start(Backend& backend) {
  if (backend.input.size() < 4 || backend.input.size() < number_at(backend.input, 0)) return;
  constexpr std::uint32_t cancel_request = 80877102;
  if (number_at(backend.input, 4) == cancel_request) {
    backend.closing = true;  // to no effect; it takes no slot
    return;
  }
  backend.input.erase(0, number_at(backend.input, 0));
  backend.started = true;
  backend.pid = 1000 + static_cast<std::uint32_t>(++logins_);
  ++open_;
  wire::append_authentication_ok(backend.output);
  wire::append_parameter_status(backend.output, "application_name", "");
  wire::append_parameter_status(backend.output, "client_encoding", "UTF8");
  wire::append_parameter_status(backend.output, "in_hot_standby", "off");
  wire::append_parameter_status(backend.output, "server_version", "18.0");
  const std::array<std::byte, 4> secret{std::byte{1}, std::byte{2}, std::byte{3}, std::byte{4}};
  wire::append_backend_key_data(backend.output, backend.pid, secret);
  wire::append_ready_for_query(backend.output, 'I');
}

void Postgres::query(Backend& backend, std::string_view sql) {
  std::string_view tag = "SELECT 1";
  if (sql == "BEGIN" || sql == "COMMIT") {
    tag = sql;
    backend.status = sql == "BEGIN" ? 'T' : 'I';
  } else if (sql.starts_with("SELECT 's'")) {
    // An audit: nothing is set but what pgring has set, which it sets again behind it.
    std::vector<std::optional<std::string_view>> row{"u", "", "app"};
    wire::append_data_row(backend.output, row);
    if (!backend.application_name.empty()) {
      row = {"s", "application_name", backend.application_name};
      wire::append_data_row(backend.output, row);
    }
  } else if (sql.starts_with("SELECT pg_catalog.set_config") || sql.starts_with("RESET")) {
    set(backend, sql);
  } else if (sql.starts_with("/* pgring: ")) {
    // After a login; it has no limits.
  } else {
    const std::array<wire::ColumnDescription, 1> columns{{{"echo", 25, -1}}};
    wire::append_row_description(backend.output, columns);
    const std::string echo = std::string{sql} + '|' + backend.application_name;
    const std::array<std::optional<std::string_view>, 1> row{echo};
    wire::append_data_row(backend.output, row);
    ++answers_;
  }
  wire::append_command_complete(backend.output, tag);
  wire::append_ready_for_query(backend.output, backend.status);
}

void Postgres::set(Backend& backend, std::string_view sql) {
  // The one parameter anybody sets here.
  std::string value;
  constexpr std::string_view setting = "set_config(E'application_name',E'";
  if (const auto at = sql.find(setting); at != std::string_view::npos) {
    const auto rest = sql.substr(at + setting.size());
    value = rest.substr(0, rest.find('\''));
  }
  const bool anew = sql.find("RESET ALL") != std::string_view::npos;  // taken away before
  if (value == backend.application_name && !anew) ++needless_settings_;
  backend.application_name = value;
  wire::append_parameter_status(backend.output, "application_name", value);
}

// SqlClient.

std::string SqlClient::startup_packet() const {
  const std::array<wire::NameValue, 3> parameters{
      {{"user", "app"}, {"database", "app"}, {"application_name", options_.name}}};
  std::string packet;
  wire::append_startup(packet, parameters);
  return packet;
}

std::string SqlClient::describe() const {
  return options_.name + ": answered " + std::to_string(answered_) + " of " +
         std::to_string(sent_) + '/' + std::to_string(options_.queries) + ", status " + status_ +
         (ready_ ? " ready" : "") + (leaving_ ? " leaving" : "") + (lost_ ? " lost" : "") +
         (done_ ? " done" : "") + '\n';
}

void SqlClient::start(Endpoint end) {
  end_ = end;
  schedule();
}

void SqlClient::schedule() {
  world_.at(world_.now() + any_time(world_.random(), std::chrono::milliseconds{1}),
            [this] { act(); });
}

void SqlClient::act() {
  input_ += end_.read(65536);
  while (const auto got = next_message(input_)) message(got->first, got->second);
  if (end_.ended()) {
    lost_ = lost_ || !leaving_;
    done_ = true;
    return end_.close();
  }
  if (ready_ && !leaving_ && world_.now() >= think_until_) {
    Random& random = world_.random();
    if (sent_ < options_.queries) {
      const bool open = status_ == 'T';
      const bool turns = random.chance(open ? 400 : options_.transactions);
      ask(turns ? (open ? std::string{"COMMIT"} : std::string{"BEGIN"})
                : options_.name + " asks " + std::to_string(sent_));
    } else if (status_ == 'T') {
      ask("COMMIT");
    } else if (options_.queries > 0) {
      std::string goodbye;
      wire::append_terminate(goodbye);
      leaving_ = end_.write(goodbye) == goodbye.size();
    }
  }
  schedule();
}

void SqlClient::ask(std::string_view sql) {
  REQUIRE(ready_);
  std::string message;
  wire::append_query(message, sql);
  REQUIRE(end_.write(message) == message.size());
  asked_ = sql;
  row_seen_ = false;
  ready_ = false;
  ++sent_;
}

void SqlClient::message(char type, std::string_view body) {
  switch (type) {
    case 'D':
      // One column: its own question and its own name, or the answer was somebody else's.
      REQUIRE(body.substr(6) == asked_ + '|' + options_.name);
      row_seen_ = true;
      return;
    case 'E':
      error_ = body;
      std::replace(error_.begin(), error_.end(), '\0', ' ');
      lost_ = true;
      return;
    case 'Z': {
      if (!asked_.empty()) {
        REQUIRE(row_seen_ == (asked_ != "BEGIN" && asked_ != "COMMIT"));
        ++answered_;
      }
      status_ = body[0];
      ready_ = true;
      think_until_ = world_.now() + any_time(world_.random(), options_.think_max);
      return;
    }
    default:
      return;
  }
}

}  // namespace sim
