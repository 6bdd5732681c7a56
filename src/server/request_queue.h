// The replies a server connection still owes, oldest first. Hot path: pushed and popped once per request.
//
// What:   one entry for each thing sent that a later message of the server answers for: a Query, a Sync or a
//         FunctionCall ends in its own ReadyForQuery; CopyDone and CopyFail end a COPY … FROM STDIN. While the
//         server is in copy-in mode it ignores Sync (protocol-flow, "COPY Operations"), so entries of Syncs
//         it has swallowed are taken out again.
// Owner:  a Server. Grows as the client pipelines; bounded by back-pressure (see request_limit).
#pragma once

#include <cstdint>
#include <vector>

namespace pgring {

enum class Request : std::uint8_t {
  query,          // answered up to its ReadyForQuery
  sync,           // likewise
  function_call,  // likewise
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

  void push(Request request);
  void pop();
  void clear() { head_ = size_ = 0; }
  // Those at the head: they ended a COPY that was none, or was over.
  void drop_copy_ends() {
    while (!empty() && front() == Request::copy_end) pop();
  }

  // CopyInResponse has come. Takes out the Syncs the server has swallowed or will swallow; true: the end of
  // the copy (CopyDone, CopyFail) is already on its way and has been taken out too.
  // `violation` is set when something was sent that may not be sent during a COPY.
  [[nodiscard]] bool enter_copy_in(bool& violation);

 private:
  void grow();
  [[nodiscard]] std::uint32_t index(std::uint32_t offset) const {
    return (head_ + offset) & static_cast<std::uint32_t>(entries_.size() - 1);
  }
  std::vector<Request> entries_;  // a ring; its size is a power of two
  std::uint32_t head_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace pgring
