#include "tests/simulation/session_postgres.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <utility>

#include "tests/simulation/seeds.h"
#include "wire/message_builder.h"

namespace sim {
namespace {

constexpr std::uint32_t cancel_request = 80877102;
// What PostgreSQL keeps before it sends by itself.
constexpr std::size_t buffer_size = 8192;

std::uint32_t secret_of(std::uint32_t pid) { return pid * 2654435761U; }

}  // namespace

void SessionPostgres::accept(Endpoint end) {
  auto& backend = *backends_.emplace_back(
      std::make_unique<Backend>(Backend{.end = end,
                                        .session = SimSession{habits_.session},
                                        .input = {},
                                        .waiting = {},
                                        .output = {}}));
  schedule(backend);
}

std::vector<std::uint32_t> SessionPostgres::pids() const {
  std::vector<std::uint32_t> pids;
  for (const auto& backend : backends_)
    if (backend->started && !backend->closed) pids.push_back(backend->pid);
  std::ranges::sort(pids);
  return pids;
}

const SimSession* SessionPostgres::session(std::uint32_t pid) const {
  for (const auto& backend : backends_)
    if (backend->started && !backend->closed && backend->pid == pid) return &backend->session;
  return nullptr;
}

void SessionPostgres::schedule(Backend& backend) {
  const std::uint64_t longest_us = world_.random().chance(100) ? 4000 : 600;
  const std::chrono::microseconds pause{world_.random().below(longest_us)};
  world_.at(world_.now() + pause, [this, &backend] { act(backend); });
}

void SessionPostgres::act(Backend& backend) {
  if (backend.closed) return;
  Random& random = world_.random();
  read(backend);
  if (backend.started && !backend.closing) {
    if (random.chance(habits_.notices)) {
      wire::append_notice_response(backend.output, {.severity = "NOTICE",
                                                    .sqlstate = "00000",
                                                    .message = "checkpoint in sight",
                                                    .detail = {},
                                                    .hint = {}});
    }
    if (random.chance(habits_.goodbyes)) {
      wire::append_error_response(backend.output, {.severity = "FATAL",
                                                   .sqlstate = "57P01",
                                                   .message = "terminating connection",
                                                   .detail = {},
                                                   .hint = {}});
      backend.busy = false;
      backend.closing = true;
    }
  }
  flush(backend);
  // Who works does not see that nobody listens any more.
  const bool over =
      (backend.end.ended() && !backend.busy) || (backend.closing && backend.output.empty());
  if (over) return close(backend);
  schedule(backend);
}

void SessionPostgres::close(Backend& backend) {
  if (backend.started) --open_;
  backend.closed = true;
  backend.end.close();
}

void SessionPostgres::flush(Backend& backend) {
  if (backend.output.empty()) return;
  std::size_t size = backend.output.size();
  if (world_.random().chance(300)) size = world_.random().between(1, size);
  backend.output.erase(0, backend.end.write(std::string_view{backend.output}.substr(0, size)));
}

bool SessionPostgres::takes_a_while(Backend& backend) {
  const char type = backend.input.empty() ? '\0' : backend.input.front();
  if (backend.session.skipping() || (type != 'Q' && type != 'E')) return false;
  const std::size_t size =
      backend.input.size() < 5 ? 0 : std::size_t{1} + number_at(backend.input, 1);
  if (size == 0 || backend.input.size() < size) return false;
  const bool sleeps =
      std::string_view{backend.input}.substr(0, size).find("pg_sleep") != std::string_view::npos;
  if (!sleeps && !world_.random().chance(habits_.busy)) return false;
  backend.busy = true;
  const auto longest_us = sleeps ? 20'000U : 2'000U;
  backend.busy_until = world_.now() + std::chrono::microseconds{world_.random().below(longest_us)};
  return true;
}

void SessionPostgres::read(Backend& backend) {
  static const bool traced = number_from("SIM_TRACE", 0) != 0;
  backend.input += backend.end.read(65536);
  if (!backend.started) return start(backend);
  // Not always all that is there: what comes later may come before it is answered.
  for (std::uint64_t most = world_.random().between(1, 20); most > 0 && !backend.closing; --most) {
    if (backend.busy && world_.now() < backend.busy_until) return;
    if (!std::exchange(backend.busy, false) && takes_a_while(backend)) return;
    const auto message = take_message(backend.input);
    if (!message) return;
    ++requests_;
    const auto& [type, body] = *message;
    if (type == 'X') {
      backend.closing = true;
      return;
    }
    if (traced)
      std::fprintf(stderr, "    backend %u: %s\n", backend.pid,
                   readable_message(type, body).c_str());
    const bool skipped = backend.session.skipping();
    backend.session.message(type, body, backend.waiting);
    const bool failed = !skipped && backend.session.skipping();
    const bool flushes = type == 'Q' || type == 'S' || (type == 'H' && !skipped);
    if (flushes || failed || backend.waiting.size() > buffer_size) {
      backend.output += backend.waiting;
      backend.waiting.clear();
    }
    const auto ours = static_cast<std::size_t>(
        std::ranges::count_if(backend.session.statements(),
                              [](const auto& one) { return one.first.starts_with("pgring_"); }));
    most_statements_ = std::max(most_statements_, ours);
  }
}

void SessionPostgres::start(Backend& backend) {
  if (backend.input.size() < 4 || backend.input.size() < number_at(backend.input, 0)) return;
  const std::uint32_t size = number_at(backend.input, 0);
  if (number_at(backend.input, 4) == cancel_request) {
    cancel(number_at(backend.input, 8), number_at(backend.input, 12));
    backend.closing = true;
    return;
  }
  backend.input.erase(0, size);
  backend.started = true;
  backend.pid = 1000 + ++logins_;
  ++open_;
  wire::append_authentication_ok(backend.output);
  for (const auto& [name, value] : SimSession::reported_at_login())
    wire::append_parameter_status(backend.output, name, value);
  wire::append_parameter_status(backend.output, "client_encoding", "UTF8");
  wire::append_parameter_status(backend.output, "server_version", "18.0");
  const std::uint32_t secret = secret_of(backend.pid);
  const std::array<std::byte, 4> bytes{
      static_cast<std::byte>(secret >> 24), static_cast<std::byte>(secret >> 16 & 0xff),
      static_cast<std::byte>(secret >> 8 & 0xff), static_cast<std::byte>(secret & 0xff)};
  wire::append_backend_key_data(backend.output, backend.pid, bytes);
  wire::append_ready_for_query(backend.output, 'I');
}

// The signal: it meets what runs now, whosever that is.
void SessionPostgres::cancel(std::uint32_t pid, std::uint32_t secret) {
  for (const auto& one : backends_) {
    Backend& backend = *one;
    if (!backend.started || backend.closed || backend.pid != pid || !backend.busy ||
        secret != secret_of(pid))
      continue;
    const auto message = take_message(backend.input);
    if (!message) continue;
    ++cancelled_;
    backend.busy = false;
    backend.session.fail(message->first, "57014", backend.waiting);
    backend.output += backend.waiting;
    backend.waiting.clear();
  }
}

}  // namespace sim
