// A session of PostgreSQL, as far as a pooler could mix it up with another's: messages in, replies out.
//
// What:   settings that a transaction gives back, statements and portals, the unnamed ones too, what skips to a
//         Sync, and state that only the end of the session, or asking for it, takes away (an advisory lock, a
//         temporary table). A few texts are understood (session_sim.cc says which); any other is a syntax error.
//         The backends of SessionPostgres are made of it, and each SessionClient has one of its own: what it
//         answers is what a direct connection would answer.
// Source: PostgreSQL docs protocol-flow; postgres.c, guc.c.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sim {

// The next message of `input`, taken out: its type and body; nothing: it is not whole yet.
[[nodiscard]] std::optional<std::pair<char, std::string>> take_message(std::string& input);
[[nodiscard]] std::uint32_t number_at(std::string_view bytes, std::size_t at);
[[nodiscard]] std::string readable_message(char type, std::string_view body);

struct SessionHabits {
  bool reports_at_once =
      false;  // a changed setting, as PostgreSQL did before version 14: not with the next 'Z'
};

class SimSession {
 public:
  using Settings = std::map<std::string, std::string, std::less<>>;

  explicit SimSession(SessionHabits habits);

  // The names that are reported, and what they are at the login.
  [[nodiscard]] static const Settings& reported_at_login();
  [[nodiscard]] static std::string default_of(std::string_view name);

  void message(char type, std::string_view body, std::string& out);
  // A Query or Execute comes to nothing: what else an error entails.
  void fail(char type, std::string_view sqlstate, std::string& out);

  [[nodiscard]] char status() const { return status_; }
  [[nodiscard]] bool skipping() const { return skipping_; }
  [[nodiscard]] std::string value_of(std::string_view name) const;
  // What has been set in this session.
  [[nodiscard]] const Settings& session_settings() const { return session_; }
  [[nodiscard]] const std::map<std::string, std::string>& statements() const { return statements_; }
  [[nodiscard]] const std::set<std::string>& locks() const { return locks_; }
  [[nodiscard]] const std::set<std::string>& tables() const { return tables_; }

 private:
  struct Outcome {
    std::string tag;
    std::vector<std::vector<std::string>> rows;
    std::string sqlstate;  // not empty: an error
  };
  struct Portal {
    std::string text;
    std::string value;
  };
  struct Saved {
    Settings session;
    std::set<std::string> tables;
  };

  void query(std::string_view body, std::string& out);
  void parse(std::string_view body, std::string& out);
  void bind(std::string_view body, std::string& out);
  void describe(std::string_view body, std::string& out);
  void execute(std::string_view body, std::string& out);
  void close(std::string_view body, std::string& out);
  [[nodiscard]] Outcome run(std::string_view text, std::string_view value);
  [[nodiscard]] std::optional<Outcome> run_setting(std::string_view text);
  [[nodiscard]] std::optional<Outcome> run_transaction(std::string_view text);
  [[nodiscard]] std::optional<Outcome> run_state(std::string_view text);
  [[nodiscard]] Outcome run_audit(std::string_view text) const;
  [[nodiscard]] Outcome run_set_config(std::string_view text);
  // False, and the error is out: nothing but the end of the transaction is done in one that failed.
  [[nodiscard]] bool allowed(std::string_view text, std::string& out);
  void set(std::string_view name, std::string_view value);
  void reset(std::string_view name);
  void begin_statement();
  void end_transaction(bool commit);
  void error(std::string_view sqlstate, std::string& out);
  void extended_error(std::string_view sqlstate, std::string& out);
  void report(std::string& out);
  void ready(std::string& out);

  SessionHabits habits_;
  char status_ = 'I';
  bool skipping_ = false;
  Settings session_;
  Settings local_;
  Settings reported_;
  std::set<std::string> locks_;
  std::set<std::string> tables_;
  std::optional<Saved> saved_;  // a transaction is under way, an implicit one too
  std::map<std::string, std::string> statements_;
  std::map<std::string, Portal> portals_;
};

}  // namespace sim
