// One console client: reads commands, answers from all shards' state.
//
// What:   speaks the simple and the extended protocol; commands are answered in order, one at a
//         time. While one waits for other shards, or the client does not read its answers, what it
//         sends further stays here, and beyond input_max nothing more is received from it.
// Owner:  its Client, on the client's shard.
// Files:  session.cc what the client and the commands call, session_state.h and .cc the messages,
//         extended.cc those of the extended protocol, command.h what can be asked, show_*.cc and
//         control.cc the answers.
// Errors: ERROR with its SQLSTATE, and the session goes on; a message that cannot be framed is
//         FATAL.
#pragma once

#include <cstdint>
#include <memory>

#include "ring/slice.h"

namespace pgring {

class Client;
namespace console {
class ConsoleState;
}

class ConsoleSession {
 public:
  // is_service_user: an admin, whatever the configuration says.
  ConsoleSession(Client& client, bool is_service_user);
  ~ConsoleSession();
  ConsoleSession(const ConsoleSession&) = delete;
  ConsoleSession& operator=(const ConsoleSession&) = delete;

  // After login: parameters, key and ReadyForQuery.
  void welcome();
  void received(const ring::Slice& slice);
  // Some of what was queued has left.
  void sent();
  void timer_due();
  // A CancelRequest: a command that is being waited for ends with an ERROR.
  void cancel();

 private:
  // Shared with nobody: those who gather an answer hold it weakly (answer.h).
  std::shared_ptr<console::ConsoleState> state_;
};

}  // namespace pgring
