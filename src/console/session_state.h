// The protocol of a console session, from messages to commands and back.
//
//   input ──▶ step(): next message ──▶ run(): one command ──▶ answered(): its messages ──▶ output
//                          ▲                     │ (other shards, a timer)    │
//                          └──── waiting_ ◀──────┴────────────────────────────┘
//
// Owner:  ConsoleSession. Requests refer to it weakly, with the number of their command.
// Bound:  a message is at most message_max bytes; input, prepared statements and portals are
//         bounded each.
// Source: protocol-flow, "Simple Query", "Extended Query"; protocol-message-formats.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ring/timer_wheel.h"
#include "src/console/answer.h"
#include "src/console/command.h"
#include "src/console/result.h"
#include "wire/error_response.h"

namespace pgring {
class Client;
class ConsoleSession;
}  // namespace pgring

namespace pgring::console {

class ConsoleState : public std::enable_shared_from_this<ConsoleState> {
 public:
  // Bytes with header. Commands are short; a longer message is a mistake or worse.
  static constexpr std::uint64_t message_max = std::uint64_t{64} * 1024;
  // Kept while a command is waited for: beyond it nothing is received (one buffer may still come).
  static constexpr std::size_t input_max = std::size_t{64} * 1024;
  // Prepared statements, and portals, of one session.
  static constexpr std::size_t names_max = 64;

  ConsoleState(Client& client, bool is_service_user, ConsoleSession& session);
  ~ConsoleState();
  ConsoleState(const ConsoleState&) = delete;
  ConsoleState& operator=(const ConsoleState&) = delete;

  void welcome();
  void received(std::span<const std::byte> bytes);
  void sent();
  void timer_due();
  void cancel();

  // Requests'.
  [[nodiscard]] bool waits_for(std::uint64_t number) const {
    return alive() && waiting_ && number == number_;
  }
  void answered(std::uint64_t number, Answer answer);
  void after(std::uint64_t number, ring::Duration delay, std::function<void()> next);
  void on_cancel(std::uint64_t number, std::function<void()> undo);
  [[nodiscard]] std::string application_name() const;

 private:
  struct Statement {
    std::optional<Command> command;  // nothing: an empty text
  };
  struct Portal {
    std::optional<Command> command;
    std::vector<Format> formats;
    std::optional<Rows> rows;  // once executed
    std::size_t next_row = 0;
    bool executed = false;
  };
  enum class Source : std::uint8_t { simple, extended };

  [[nodiscard]] bool alive() const;
  void advance();
  [[nodiscard]] bool step();
  [[nodiscard]] bool next_message();
  void message(char type, std::span<const std::byte> body);
  void query(std::span<const std::byte> body);
  void run(const Command& command, Source source);
  void carry_out(const ConsoleRequest& request, const Command& command);
  void write_answer(Answer answer);
  void error(const Refusal& refusal);
  void ready();
  void flush();
  void fatal(std::string_view sqlstate, std::string_view message);
  void protocol_error(std::string message);

  // extended.cc
  void extended_message(char type, std::span<const std::byte> body);
  void parse(std::span<const std::byte> body);
  void bind(std::span<const std::byte> body);
  void describe(std::span<const std::byte> body);
  void execute(std::span<const std::byte> body);
  void close(std::span<const std::byte> body);
  void describe_command(const std::optional<Command>& command, Formats formats);
  void send_rows(Portal& portal);

  enum class Rights : std::uint8_t { none, look, all };
  [[nodiscard]] Rights rights() const;

  Client& client_;
  bool is_service_user_;  // may do everything

  std::string input_;
  std::size_t input_used_ = 0;
  std::string output_;

  std::vector<Command> script_;  // of the simple Query under way
  std::size_t script_next_ = 0;
  bool in_script_ = false;
  bool skip_to_sync_ = false;
  std::map<std::string, Statement, std::less<>> statements_;
  std::map<std::string, Portal, std::less<>> portals_;

  // The command under way.
  std::uint64_t number_ = 0;
  bool waiting_ = false;
  bool advancing_ = false;
  Source source_ = Source::simple;
  std::string_view tag_;
  Portal* portal_ = nullptr;       // extended: what is being executed
  std::uint32_t rows_wanted_ = 0;  // 0: all
  std::function<void()> next_;     // when the timer is due
  std::function<void()> undo_;     // when the client cancels
  ring::Timer timer_;
};

}  // namespace pgring::console
