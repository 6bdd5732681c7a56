// The replies a server connection still owes, oldest first. Hot path: pushed and popped once per request.
//
// What:   one entry for each thing sent that a message of the server answers: a Query, a Sync or a
//         FunctionCall ends in its own ReadyForQuery; a message of the extended protocol in a reply of
//         its own, unless one before it failed: then the server drops everything up to the next Sync
//         (protocol-flow, "Extended Query"). CopyDone and CopyFail end a COPY … FROM STDIN; while the server
//         copies in it ignores Sync ("COPY Operations"), so entries of Syncs it has swallowed are taken out.
// Owner:  a Server. Grows as the client pipelines; bounded by back-pressure (see request_limit).
#pragma once

#include <cstdint>
#include <vector>

namespace pgring {

enum class Request : std::uint8_t {
  query,          // answered up to its ReadyForQuery
  sync,           // likewise
  function_call,  // likewise
  extended,       // Parse, Bind, Describe, Execute, Close: answered by a message of its own
  copy_end,       // CopyDone or CopyFail: no answer of its own
  own,            // a Query of ours: its answer is swallowed
};

class RequestQueue {
 public:
  // A client that has so many requests outstanding is not read from until some are answered.
  static constexpr std::uint32_t request_limit = 4096;

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::uint32_t size() const { return size_; }
  // REQUIRES: !empty().
  [[nodiscard]] Request front() const { return entries_[head_]; }
  // Whether a ReadyForQuery is owed.
  [[nodiscard]] bool owes_ready() const { return ready_owed_ > 0; }
  // A group failed: the server drops everything up to the next Sync, which has not been sent yet.
  [[nodiscard]] bool skipping() const { return skipping_; }

  // While skipping, what the server drops is not queued.
  void push(Request request);
  // ReadyForQuery has come. False: nobody asked for it.
  [[nodiscard]] bool answered();
  // A message has come that answers one of the extended protocol.
  void extended_answered() {
    if (size_ > 0 && front() == Request::extended) pop();
  }
  // ErrorResponse has come. What the server will drop is taken out.
  void failed();
  void clear();

  // CopyInResponse has come. Takes out the Syncs the server has swallowed or will swallow; true: the end of
  // the copy (CopyDone, CopyFail) is already on its way and has been taken out too.
  // `violation` is set when something was sent that may not be sent during a COPY.
  [[nodiscard]] bool enter_copy_in(bool& violation);

 private:
  [[nodiscard]] static bool ends_in_ready(Request request) {
    return request != Request::extended && request != Request::copy_end;
  }
  void append(Request request);
  void pop();
  void grow();
  [[nodiscard]] std::uint32_t index(std::uint32_t offset) const {
    return (head_ + offset) & static_cast<std::uint32_t>(entries_.size() - 1);
  }
  std::vector<Request> entries_;  // a ring; its size is a power of two
  std::uint32_t head_ = 0;
  std::uint32_t size_ = 0;
  std::uint32_t ready_owed_ = 0;
  bool skipping_ = false;
};

}  // namespace pgring
