#include "src/server/request_queue.h"

#include <utility>

#include "wire/message_type.h"

namespace pgring {

namespace backend = wire::backend;

namespace {

// What comes when something is executed, by either protocol.
bool is_result(char type) {
  switch (type) {
    case backend::DataRow:
    case backend::CommandComplete:
    case backend::EmptyQueryResponse:
    case backend::CopyInResponse:
    case backend::CopyOutResponse:
    case backend::CopyData:
    case backend::CopyDone:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool RequestQueue::push(RequestEntry&& entry) {
  if (skipping_ && entry.request != Request::sync) return false;
  skipping_ = false;
  append(std::move(entry));
  return true;
}

bool RequestQueue::changes_statements(const RequestEntry& entry) {
  if (entry.note == nullptr) return false;
  switch (entry.note->kind) {
    case RequestNote::Kind::prepare:
    case RequestNote::Kind::describe:
    case RequestNote::Kind::unnamed:
    case RequestNote::Kind::evict:
    case RequestNote::Kind::forget:
      return true;
    case RequestNote::Kind::begin:
    case RequestNote::Kind::fail:
    case RequestNote::Kind::restore:
    case RequestNote::Kind::refuse:
      return false;
  }
  return false;
}

void RequestQueue::append(RequestEntry&& entry) {
  if (size_ == entries_.size()) grow();
  if (ends_in_ready(entry.request)) ++ready_owed_;
  if (changes_statements(entry)) ++notes_;
  if (entry.reply == Reply::synthesize) ++synthesized_;
  entries_[index(size_)] = std::move(entry);
  ++size_;
}

RequestEntry RequestQueue::pop() {
  POOLER_CHECK(size_ > 0);
  RequestEntry entry = std::move(entries_[head_]);
  if (ends_in_ready(entry.request)) --ready_owed_;
  if (changes_statements(entry)) --notes_;
  if (entry.reply == Reply::synthesize) --synthesized_;
  head_ = index(1);
  --size_;
  return entry;
}

void RequestQueue::clear() {
  while (!empty()) pop();
  head_ = 0;
  skipping_ = false;
}

void RequestQueue::swallow_sync() {
  POOLER_CHECK(!empty() && front().request == Request::sync);
  entries_[head_].reply = Reply::swallow;
}

bool RequestQueue::fits(char type) const {
  if (empty() || synthesizes_next()) return false;
  switch (front().request) {
    case Request::query:
      return is_result(type) || type == backend::RowDescription;
    case Request::execute:
      return is_result(type) || type == backend::PortalSuspended;
    case Request::parse:
      return type == backend::ParseComplete;
    case Request::bind:
      return type == backend::BindComplete;
    case Request::close:
      return type == backend::CloseComplete;
    case Request::describe_statement:
      return type == backend::ParameterDescription || type == backend::RowDescription ||
             type == backend::NoData;
    case Request::describe_portal:
      return type == backend::RowDescription || type == backend::NoData;
    case Request::function_call:
      return type == backend::FunctionCallResponse;
    case Request::sync:
    case Request::bad_flush:
    case Request::copy_end:
      return false;
  }
  return false;
}

bool RequestQueue::completes(char type) const {
  if (!is_extended(front().request)) return false;
  switch (type) {
    case backend::ParseComplete:
    case backend::BindComplete:
    case backend::CloseComplete:
    case backend::NoData:
    case backend::RowDescription:
    case backend::CommandComplete:
    case backend::EmptyQueryResponse:
    case backend::PortalSuspended:
      return true;
    default:
      return false;
  }
}

// The ends of copies that were none, or were over.
void RequestQueue::drop_copy_ends() {
  while (!empty() && front().request == Request::copy_end) pop();
}

RequestEntry RequestQueue::take() {
  RequestEntry entry = pop();
  drop_copy_ends();
  return entry;
}

bool RequestQueue::answered() {
  drop_copy_ends();
  if (empty() || !ends_in_ready(front().request)) return false;
  pop();
  drop_copy_ends();
  return true;
}

void RequestQueue::grow() {
  std::vector<RequestEntry> larger(entries_.empty() ? 8 : entries_.size() * 2);
  for (std::uint32_t i = 0; i < size_; ++i) larger[i] = std::move(entries_[index(i)]);
  entries_ = std::move(larger);
  head_ = 0;
}

bool RequestQueue::enter_copy_in(bool& violation) {
  // The head is what executes the COPY: a Query, or an Execute, whose Sync the server will read while it copies.
  std::vector<RequestEntry> kept;
  bool ended = false;
  for (bool first = true; !empty(); first = false) {
    RequestEntry entry = pop();
    const bool head =
        first && (entry.request == Request::query || entry.request == Request::execute);
    if (ended || head) {
      kept.push_back(std::move(entry));
    } else if (entry.request == Request::copy_end) {
      ended = true;
    } else if (entry.request != Request::sync) {
      violation = true;
    }
  }
  for (RequestEntry& entry : kept) append(std::move(entry));
  return ended;
}

}  // namespace pgring
