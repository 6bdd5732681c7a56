// message_scope.h: one message appended to a string from begin to end; for the append_… functions.
//
// Life:   a local variable; the string is in its hands until finish().
// Errors: aborts when the message is longer than a length word can say: these are our own texts.
#ifndef WIRE_MESSAGE_SCOPE_H_
#define WIRE_MESSAGE_SCOPE_H_

#include <string>
#include <utility>

#include "wire/check.h"
#include "wire/message_builder.h"

namespace wire {

class MessageScope {
 public:
  MessageScope(std::string& out, char type) : out_(out), builder_(std::move(out)) {
    builder_.begin(type);
  }
  explicit MessageScope(std::string& out) : out_(out), builder_(std::move(out)) {
    builder_.begin_untyped();
  }

  [[nodiscard]] MessageBuilder* operator->() { return &builder_; }

  void finish() {
    WIRE_CHECK(builder_.end());
    out_ = builder_.take();
  }

 private:
  std::string& out_;
  MessageBuilder builder_;
};

}  // namespace wire

#endif  // WIRE_MESSAGE_SCOPE_H_
