#include "src/console/session.h"

#include "src/console/session_state.h"
#include "src/session/client.h"
#include "src/shard/shard.h"

namespace pgring {

ConsoleSession::ConsoleSession(Client& client, bool is_service_user)
    : state_{std::make_shared<console::ConsoleState>(client, is_service_user, *this)} {}

ConsoleSession::~ConsoleSession() = default;

void ConsoleSession::welcome() { state_->welcome(); }
void ConsoleSession::received(const ring::Slice& slice) { state_->received(slice.bytes()); }
void ConsoleSession::sent() { state_->sent(); }
void ConsoleSession::timer_due() { state_->timer_due(); }
void ConsoleSession::cancel() { state_->cancel(); }

// Requests.

namespace console {

std::shared_ptr<ConsoleState> ConsoleRequest::session() const {
  auto session = session_.lock();
  return session != nullptr && session->waits_for(number_) ? session : nullptr;
}

bool ConsoleRequest::is_waited_for() const { return session() != nullptr; }

void ConsoleRequest::answer(Answer answer) const {
  if (const auto waiting = session()) waiting->answered(number_, std::move(answer));
}

void ConsoleRequest::after(ring::Duration delay, std::function<void()> next) const {
  if (const auto waiting = session()) waiting->after(number_, delay, std::move(next));
}

void ConsoleRequest::on_cancel(std::function<void()> undo) const {
  if (const auto waiting = session()) waiting->on_cancel(number_, std::move(undo));
}

std::string ConsoleRequest::client_application_name() const {
  const auto waiting = session();
  return waiting == nullptr ? std::string{} : waiting->application_name();
}

}  // namespace console
}  // namespace pgring
