// What a command came to, and the handle through which whoever carries it out says so.
//
// Owner:  ConsoleRequest is a copy of who asked: the client may be gone when the answer is there,
//         so it holds the session weakly and the command's number; answers that come too late are
//         dropped.
// Thread: all but copying and destroying is for the shard the client is on.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "ring/clock.h"
#include "src/console/result.h"

namespace pgring {
class Shard;
}

namespace pgring::console {

class ConsoleState;

struct Refusal {
  std::string_view sqlstate;
  std::string message;
  std::string detail;
  std::string hint;
};

struct Answer {
  std::optional<Refusal> refusal;  // then nothing else counts
  std::optional<Rows> rows;
  std::string notice;  // sent before the tag
  std::string notice_detail;
};

class ConsoleRequest {
 public:
  ConsoleRequest(std::weak_ptr<ConsoleState> session, std::uint64_t number, Shard& shard)
      : session_{std::move(session)}, number_{number}, shard_{&shard} {}

  // The client is there and waits for this command.
  [[nodiscard]] bool is_waited_for() const;
  void answer(Answer answer) const;
  void refuse(Refusal refusal) const { answer({.refusal = std::move(refusal)}); }
  // Not finished: goes on after a while, if the client still waits.
  void after(ring::Duration delay, std::function<void()> next) const;
  // What is to be done when the client cancels the command instead of waiting on.
  void on_cancel(std::function<void()> undo) const;

  // The client's own: where the command is carried out and answered.
  [[nodiscard]] Shard& shard() const { return *shard_; }
  [[nodiscard]] std::string client_application_name() const;

 private:
  [[nodiscard]] std::shared_ptr<ConsoleState> session() const;

  std::weak_ptr<ConsoleState> session_;
  std::uint64_t number_;
  Shard* shard_;
};

}  // namespace pgring::console
