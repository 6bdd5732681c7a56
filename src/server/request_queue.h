// The replies a server connection still owes, oldest first. Hot path: pushed and popped once per request.
//
// What:   one entry for each thing sent that a message of the server answers, with whose it is and what becomes of
//         the reply: a Query, a Sync or a FunctionCall ends in its own ReadyForQuery; a message of the extended
//         protocol in a reply of its own, unless one before it failed: then the server drops everything up to
//         the next Sync (protocol-flow, "Extended Query"). CopyDone and CopyFail end a COPY … FROM STDIN; while
//         the server copies in it ignores Sync ("COPY Operations"), so entries of Syncs it has swallowed are
//         taken out.
// Owner:  a Server. Grows as the client pipelines; bounded by back-pressure (see request_limit).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "src/base/check.h"
#include "src/server/request_note.h"

namespace pgring {

enum class Request : std::uint8_t {
  query,               // answered up to its ReadyForQuery
  sync,                // likewise
  function_call,       // likewise
  parse,               // from here on: the extended protocol, each answered by messages of its own
  bind,                //
  describe_statement,  //
  describe_portal,     //
  execute,             //
  close,               //
  bad_flush,           // a Flush with a body: answered by an error only
  copy_end,            // CopyDone or CopyFail: no answer of its own
};

// What becomes of the reply.
enum class Reply : std::uint8_t {
  forward,
  swallow,  // the request is pgring's own; an error is the client's if it stands in a group of the client's
  synthesize,  // a Parse that was not sent: it is answered when what follows it is
};

struct RequestEntry {
  Request request = Request::query;
  Reply reply = Reply::forward;
  std::uint64_t statement = 0;        // bind, describe_statement, parse: StatementId
  std::unique_ptr<RequestNote> note;  // what else hangs on the reply; rare
};

class RequestQueue {
 public:
  // A client that has so many requests outstanding is not read from until some are answered.
  static constexpr std::uint32_t request_limit = 4096;

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  // REQUIRES: !empty().
  [[nodiscard]] const RequestEntry& front() const { return entries_[head_]; }
  // Whether a ReadyForQuery is owed.
  [[nodiscard]] bool owes_ready() const { return ready_owed_ > 0; }
  // Whether what statements there are depends on replies that are still owed.
  [[nodiscard]] bool changes_statements() const { return notes_ > 0; }
  // Whether the oldest reply, or any, does not come from the server. Not for ReadyForQuery.
  [[nodiscard]] bool synthesizes_next() const {
    return synthesized_ > 0 && front().reply == Reply::synthesize;
  }
  [[nodiscard]] bool synthesizes() const { return synthesized_ > 0; }
  // A group failed: the server drops everything up to the next Sync, which has not been sent yet.
  [[nodiscard]] bool skipping() const { return skipping_; }

  // While skipping, what the server drops is not queued; false, and the entry is as it was.
  bool push(RequestEntry&& entry);
  bool push(Request request) { return push(RequestEntry{.request = request}); }

  // Whether a message of this type may come now: it is (part of) the answer to the oldest request. Not for
  // ReadyForQuery, errors, notices and what else comes at any time.
  [[nodiscard]] bool fits(char type) const;
  // Whether a reply of this type, which fits, ends the answer to the oldest request, one of the extended protocol.
  [[nodiscard]] bool completes(char type) const;
  // REQUIRES: completes().
  RequestEntry take();

  // ReadyForQuery has come. False: nobody asked for it.
  [[nodiscard]] bool answered();
  // ErrorResponse has come. What the server will drop is taken out, oldest first; the first is what failed.
  template <class Dropped>
  void failed(Dropped&& dropped) {
    // The error of a Query, a FunctionCall or a Sync is its own.
    if (empty() || !is_extended(front().request)) return;
    while (!empty() && front().request != Request::sync) dropped(pop());
    skipping_ = empty();
  }
  void clear();
  // The client is not told of the ReadyForQuery that ends what has failed. REQUIRES: a Sync is the oldest.
  void swallow_sync();

  // CopyInResponse has come. Takes out the Syncs the server has swallowed or will swallow; true: the end of
  // the copy (CopyDone, CopyFail) is already on its way and has been taken out too.
  // `violation` is set when something was sent that may not be sent during a COPY.
  [[nodiscard]] bool enter_copy_in(bool& violation);

 private:
  [[nodiscard]] static bool ends_in_ready(Request request) {
    return request == Request::query || request == Request::sync ||
           request == Request::function_call;
  }
  [[nodiscard]] static bool is_extended(Request request) {
    return !ends_in_ready(request) && request != Request::copy_end;
  }
  [[nodiscard]] static bool changes_statements(const RequestEntry& entry);
  void drop_copy_ends();
  void append(RequestEntry&& entry);
  RequestEntry pop();
  void grow();
  [[nodiscard]] std::uint32_t index(std::uint32_t offset) const {
    return (head_ + offset) & static_cast<std::uint32_t>(entries_.size() - 1);
  }
  std::vector<RequestEntry> entries_;  // a ring; its size is a power of two
  std::uint32_t head_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t ready_owed_ = 0;
  std::uint32_t notes_ = 0;
  std::uint32_t synthesized_ = 0;
  bool skipping_ = false;
};

}  // namespace pgring
