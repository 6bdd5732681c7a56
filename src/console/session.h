// One console client: reads commands, answers from all shards' state.
//
// Owner:  its Client, on the client's shard. Files: session.cc the protocol, command.h what is asked,
// show_*.cc one answer each.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "ring/slice.h"

namespace pgring {

class Client;

class ConsoleSession {
 public:
  ConsoleSession(Client& client, bool admin);
  ~ConsoleSession();
  ConsoleSession(const ConsoleSession&) = delete;
  ConsoleSession& operator=(const ConsoleSession&) = delete;

  // After login: parameters, key and ReadyForQuery.
  void welcome();
  void received(const ring::Slice& slice);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace pgring
