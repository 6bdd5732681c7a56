// Its connection and its checks; what it says is in session_script.cc.
#include "tests/simulation/session_client.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <span>
#include <utility>

#include "tests/simulation/seeds.h"
#include "wire/message_builder.h"

namespace sim {
namespace {

constexpr std::size_t history_max = 40;

// The field of an ErrorResponse.
std::string field(std::string_view body, char name) {
  for (std::size_t at = 0; at < body.size() && body[at] != '\0';) {
    const auto end = body.find('\0', at);
    if (body[at] == name) return std::string{body.substr(at + 1, end - at - 1)};
    at = end + 1;
  }
  return {};
}

// pgring knows that a name is taken before PostgreSQL has looked whether the transaction has failed.
bool same_error(std::string_view wanted, std::string_view got) {
  const std::string code = field(got, 'C');
  const auto meant = field(wanted, 'C');
  // Nor has pgring a parser, where a transaction failed before it had a server connection.
  return code == meant || (code == "42P05" && meant == "25P02") ||
         (code == "25P02" && meant == "42601");
}

}  // namespace

SessionClient::SessionClient(World& world, SessionClientOptions options)
    : world_{world},
      options_{std::move(options)},
      random_{options_.seed},
      direct_{options_.session} {
  if (options_.has_base) {
    std::string nothing;
    using namespace std::string_view_literals;
    direct_.message('Q', "set lock_timeout = 'base'\0"sv, nothing);
  }
}

std::string SessionClient::startup_packet() const {
  const std::array<wire::NameValue, 2> parameters{{{"user", "app"}, {"database", "app"}}};
  std::string packet;
  wire::append_startup(packet, parameters);
  return packet;
}

void SessionClient::start(Endpoint end) {
  end_ = end;
  schedule();
}

std::string SessionClient::describe() const {
  std::string text =
      options_.name + ": burst " + std::to_string(bursts_) + '/' + std::to_string(options_.bursts) +
      " expects " + std::to_string(expected_.size()) + " status " + direct_.status() +
      (direct_.skipping() ? " skipping" : "") + (leaving_ ? " leaving" : "") +
      (lost_ ? " lost" : "") + (done_ ? " done" : "") + (logged_in_ ? "" : " not logged in") + '\n';
  return text;
}

void SessionClient::fail(const std::string& what) const {
  std::string text = describe() + what + "\nit has said, and heard:\n";
  for (const std::string& one : history_) text += "  " + one + '\n';
  world_.fail(text);
}

void SessionClient::remember(std::string line) {
  static const bool traced = number_from("SIM_TRACE", 0) != 0;
  if (traced) std::fprintf(stderr, "%s: %s\n", options_.name.c_str(), line.c_str());
  history_.push_back(std::move(line));
  if (history_.size() > history_max) history_.pop_front();
}

void SessionClient::schedule() {
  const std::chrono::microseconds pause{random_.below(1000)};
  world_.at(world_.now() + pause, [this] { act(); });
}

void SessionClient::leave() {
  random_.chance(500) ? end_.close() : end_.reset();
  done_ = true;
}

void SessionClient::act() {
  if (cancel_end_.valid() && !cancel_end_.is_closed() && cancel_end_.ended()) cancel_end_.close();
  read();
  if (end_.ended()) {
    if (!leaving_ && !lost_ && !options_.may_lose) fail("the connection has ended");
    lost_ = lost_ || !leaving_;
    done_ = true;
    return end_.close();
  }
  if (lost_) return leave();
  write();
  if (dies_at_ > 0 && written_ >= dies_at_) return leave();
  if (cancel_at_ != ring::Instant{} && world_.now() >= cancel_at_) send_cancel();
  if (logged_in_ && !leaving_ && !lost_ && output_.empty() && expected_.empty() &&
      cancellable_.empty() && world_.now() >= think_until_) {
    at_rest();
  }
  schedule();
}

void SessionClient::read() {
  input_ += end_.read(random_.chance(100) ? random_.between(1, 20) : 65536);
  while (const auto got = take_message(input_)) message(got->first, got->second);
}

void SessionClient::write() {
  if (output_.empty()) return;
  std::size_t size = output_.size();
  if (random_.chance(300)) size = random_.between(1, size);
  if (dies_at_ > 0) size = std::min<std::size_t>(size, dies_at_ - written_);
  const std::size_t taken = end_.write(std::string_view{output_}.substr(0, size));
  output_.erase(0, taken);
  written_ += taken;
}

void SessionClient::message(char type, const std::string& body) {
  remember("            " + readable_message(type, body));
  switch (type) {
    case 'R':
    case 'N':
      return;
    case 'S': {
      const auto name = body.substr(0, body.find('\0'));
      const auto value = body.substr(name.size() + 1);
      told_[name] = value.substr(0, value.find('\0'));
      return;
    }
    case 'K':
      cancel_key_ = body;
      return;
    case 'Z':
      if (logged_in_) return expect_reply(type, body);
      logged_in_ = true;
      return;
    case 'E':
      if (field(body, 'S') == "FATAL") {
        if (!options_.may_lose) fail("it was thrown out");
        lost_ = true;
        return;
      }
      // Its transaction had no server connection and gets none: what that answers is tested elsewhere.
      if (options_.may_lose && field(body, 'C').starts_with("08")) {
        lost_ = true;
        return;
      }
      return expect_reply(type, body);
    default:
      return expect_reply(type, body);
  }
}

void SessionClient::expect_reply(char type, const std::string& body) {
  if (lost_) return;
  ++replies_;
  if (!cancellable_.empty()) {
    std::string replies;
    const std::string asked = std::exchange(cancellable_, {});
    const std::string sent = asked.substr(5);
    if (type == 'E' && field(body, 'C') == "57014") {
      ++cancelled_;
      unnamed_unsure_ = true;  // it may have been over before PostgreSQL saw it
      direct_.fail('Q', "57014", replies);
    } else {
      direct_.message('Q', sent, replies);
    }
    while (auto one = take_message(replies))
      if (one->first != 'S') expected_.push_back(std::move(*one));
  }
  if (expected_.empty()) fail("a reply to nothing: " + readable_message(type, body));
  const auto [wanted, wanted_body] = expected_.front();
  expected_.pop_front();
  const bool fits =
      type == wanted && (type == 'E' ? same_error(wanted_body, body) : body == wanted_body);
  if (!fits)
    fail("it was to be " + readable_message(wanted, wanted_body) + "\nand is        " +
         readable_message(type, body));
  if (type == 'Z' && body == "I" && expected_.empty() && cancellable_.empty()) check_told();
}

// What drivers go by.
void SessionClient::check_told() const {
  for (const auto& [name, at_login] : SimSession::reported_at_login()) {
    const auto at = told_.find(name);
    const std::string told = at == told_.end() ? "nothing" : at->second;
    if (told != direct_.value_of(name)) {
      fail("it was told that " + name + " is '" + told + "', which is '" + direct_.value_of(name) +
           "'");
    }
  }
}

void SessionClient::at_rest() {
  const std::chrono::microseconds most{
      std::chrono::duration_cast<std::chrono::microseconds>(options_.think_max).count()};
  think_until_ = world_.now() + std::chrono::microseconds{
                                    random_.below(static_cast<std::uint64_t>(most.count()) + 1)};
  const bool cancelling =
      cancel_at_ != ring::Instant{} || (cancel_end_.valid() && !cancel_end_.is_closed());
  if (bursts_ >= options_.bursts && !cancelling && probes_ == 0) {
    std::string goodbye;
    wire::append_terminate(goodbye);
    output_ += goodbye;
    leaving_ = true;
    return;
  }
  ++bursts_;
  if (cancelling) probes_ = 1;
  if (probes_ > 0) {
    if (!cancelling) --probes_;
    return cancellable_burst();
  }
  if (!group_open_ && random_.chance(options_.cancels)) {
    cancel_at_ = world_.now() +
                 std::chrono::microseconds{random_.below(random_.chance(500) ? 2'000 : 20'000)};
    return cancellable_burst();
  }
  next_burst();
  if (random_.chance(options_.aborts))
    dies_at_ = written_ + random_.between(1, output_.size() + 20);
  // It has sent all, and goes without reading.
  if (dies_at_ > written_ + output_.size()) dies_at_ = written_ + output_.size();
}

void SessionClient::send_cancel() {
  cancel_at_ = {};
  if (cancel_key_.size() != 8 || (cancel_end_.valid() && !cancel_end_.is_closed())) return;
  std::string packet;
  wire::append_cancel_request(packet, number_at(cancel_key_, 0),
                              std::as_bytes(std::span{cancel_key_}).subspan(4));
  cancel_end_ = options_.connect(std::move(packet));
}

}  // namespace sim
