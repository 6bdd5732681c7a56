// Hot path: runs for the texts that may_have_traits lets through.
#include "wire/sql_traits.h"

#include <array>
#include <cstddef>

#include "wire/sql_lexer.h"
#include "wire/sql_word.h"

namespace wire {
namespace {

struct Head {
  SqlTokenKind kind = SqlTokenKind::end;
  SqlWord word = SqlWord::none;
};

// What a statement that begins with the keyword does whatever follows, and what a name stands for.
constexpr std::array<std::uint32_t, 256> make_bits() {
  std::array<std::uint32_t, 256> bits{};
  const auto set = [&bits](SqlWord word, SqlTrait trait) {
    bits[static_cast<std::size_t>(word)] = static_cast<std::uint32_t>(trait);
  };
  set(SqlWord::alter, SqlTrait::drop);
  set(SqlWord::call, SqlTrait::call);
  set(SqlWord::close, SqlTrait::close);
  set(SqlWord::copy, SqlTrait::copy);
  set(SqlWord::deallocate, SqlTrait::deallocate);
  set(SqlWord::discard, SqlTrait::settings);
  set(SqlWord::do_block, SqlTrait::settings);
  set(SqlWord::drop, SqlTrait::drop);
  set(SqlWord::execute, SqlTrait::execute);
  set(SqlWord::listen, SqlTrait::listen);
  set(SqlWord::load, SqlTrait::load);
  set(SqlWord::reset, SqlTrait::settings);
  set(SqlWord::unlisten, SqlTrait::unlisten);
  set(SqlWord::advisory_lock, SqlTrait::advisory_lock);
  set(SqlWord::advisory_unlock, SqlTrait::advisory_unlock);
  set(SqlWord::sequence_value, SqlTrait::sequence_value);
  set(SqlWord::set_config, SqlTrait::settings);
  set(SqlWord::state_function, SqlTrait::other_state);
  return bits;
}

constexpr std::array<std::uint32_t, 256> bits_of = make_bits();

// Statements that begin so define nothing that other sessions could meet.
constexpr std::array<bool, 256> make_defines_nothing() {
  std::array<bool, 256> known{};
  for (const SqlWord word :
       {SqlWord::abort,      SqlWord::analyse,  SqlWord::analyze,     SqlWord::begin,
        SqlWord::checkpoint, SqlWord::close,    SqlWord::commit,      SqlWord::copy,
        SqlWord::deallocate, SqlWord::declare,  SqlWord::delete_from, SqlWord::discard,
        SqlWord::end,        SqlWord::execute,  SqlWord::fetch,       SqlWord::insert,
        SqlWord::listen,     SqlWord::load,     SqlWord::lock,        SqlWord::merge,
        SqlWord::move,       SqlWord::notify,   SqlWord::prepare,     SqlWord::release,
        SqlWord::reset,      SqlWord::rollback, SqlWord::savepoint,   SqlWord::select,
        SqlWord::set,        SqlWord::show,     SqlWord::start,       SqlWord::table,
        SqlWord::truncate,   SqlWord::unlisten, SqlWord::update,      SqlWord::vacuum,
        SqlWord::values,     SqlWord::with})
    known[static_cast<std::size_t>(word)] = true;
  return known;
}

constexpr std::array<bool, 256> defines_nothing = make_defines_nothing();

bool is_name(const Head& head) {
  return head.kind == SqlTokenKind::word || head.kind == SqlTokenKind::quoted_identifier ||
         head.kind == SqlTokenKind::escaped_identifier;
}

// Strings in strings of a DO block: the block itself, what it executes, and one more.
constexpr int block_depth_max = 4;

std::string_view inside_of_string(std::string_view token) {
  const std::size_t quote = token.find_first_of("'$");
  if (quote == std::string_view::npos) return {};
  std::size_t size = 1;
  if (token[quote] == '$') {
    const std::size_t end = token.find('$', quote + 1);
    if (end == std::string_view::npos) return {};
    size = end - quote + 1;
  }
  if (token.size() < quote + 2 * size) return {};
  return token.substr(quote + size, token.size() - quote - 2 * size);
}

// LOAD and the functions whose doing nothing shows, wherever they stand. A name that happens to be LOAD counts
// only right before a string (which, in a block between quotes, begins with two of them and looks empty).
std::uint32_t block_bits(std::string_view sql, int depth) noexcept {
  std::uint32_t bits = 0;
  SqlWord last = SqlWord::none;
  SqlLexer lexer(sql);
  for (SqlToken token = lexer.next(); token.kind != SqlTokenKind::end; token = lexer.next()) {
    const std::string_view text = lexer.text(token);
    SqlWord word = SqlWord::none;
    if (token.kind == SqlTokenKind::word) {
      word = find_sql_word(text);
    } else if (token.kind == SqlTokenKind::quoted_identifier && token.length > 2) {
      word = find_quoted_sql_word(text.substr(1, text.size() - 2));
    } else if (token.kind == SqlTokenKind::string) {
      if (last == SqlWord::load) bits = bits | SqlTrait::load;
      if (depth > 0) bits |= block_bits(inside_of_string(text), depth - 1);
    }
    if (word == SqlWord::state_function) bits = bits | SqlTrait::other_state;
    last = word;
  }
  return bits;
}

// Reads the tokens of a text one by one, and sums up at each semicolon.
class Reader {
 public:
  void take(const SqlLexer& lexer, const SqlToken& token);
  void end_statement();
  [[nodiscard]] SqlTraits finish();

 private:
  // What is known of the statement at hand. CREATE OR REPLACE LOCAL TEMP is the longest beginning that
  // matters: the fifth word.
  struct Statement {
    std::array<Head, 5> heads{};
    std::size_t heads_count = 0;
    std::size_t tokens = 0;
    std::size_t depth = 0;          // of parentheses
    std::array<SqlWord, 3> last{};  // the words right before, newest first; none: not such a word
    bool explain = false;
    bool update = false;
    bool pg_settings = false;
    bool temporary = false;
    bool on_commit_drop = false;
  };

  void add(SqlTrait trait) { traits_.bits = traits_.bits | trait; }
  void take_head(SqlTokenKind kind, SqlWord word);
  void take_keyword(SqlWord word);
  [[nodiscard]] bool is_insert(SqlWord word) const;
  void transaction_by_head();
  void session_by_head();
  [[nodiscard]] bool sets_for_the_session() const;
  [[nodiscard]] bool creates_temporary() const;
  [[nodiscard]] bool creates_routine() const;
  [[nodiscard]] SqlWord head(std::size_t i) const { return statement_.heads[i].word; }

  SqlTraits traits_;
  Statement statement_;
  bool in_routine_body_ = false;
  bool temporary_stays_ = false;
  bool plain_begin_ = false;
};

void Reader::take(const SqlLexer& lexer, const SqlToken& token) {
  SqlWord word = SqlWord::none;
  if (token.kind == SqlTokenKind::word) {
    word = find_sql_word(lexer.text(token));
  } else if (token.kind == SqlTokenKind::quoted_identifier && token.length > 2) {
    word = find_quoted_sql_word(lexer.text(token).substr(1, token.length - 2));
  } else if (token.kind == SqlTokenKind::escaped_identifier) {
    add(SqlTrait::settings);
  } else if (token.kind == SqlTokenKind::string && head(0) == SqlWord::do_block) {
    traits_.bits |= block_bits(inside_of_string(lexer.text(token)), block_depth_max);
  } else if (token.kind == SqlTokenKind::semicolon && statement_.depth == 0) {
    end_statement();
    return;
  }
  ++statement_.tokens;
  if (statement_.heads_count < statement_.heads.size()) take_head(token.kind, word);
  if (token.kind == SqlTokenKind::left_parenthesis) {
    ++statement_.depth;
  } else if (token.kind == SqlTokenKind::right_parenthesis && statement_.depth > 0) {
    --statement_.depth;
  }
  if (word >= SqlWord::advisory_lock) {
    traits_.bits |= bits_of[static_cast<std::size_t>(word)];
    statement_.pg_settings = statement_.pg_settings || word == SqlWord::pg_settings;
    statement_.temporary = statement_.temporary || word == SqlWord::pg_temp;
  } else if (word != SqlWord::none) {
    take_keyword(word);
  }
  statement_.last = {word, statement_.last[0], statement_.last[1]};
}

// The first tokens of a statement, without parentheses around it and EXPLAIN and its options before it.
void Reader::take_head(SqlTokenKind kind, SqlWord word) {
  if (statement_.heads_count == 0) {
    if (kind == SqlTokenKind::left_parenthesis) return;
    if (word == SqlWord::explain && !statement_.explain) {
      statement_.explain = true;
      return;
    }
    if (statement_.explain &&
        (statement_.depth > 0 || kind == SqlTokenKind::right_parenthesis ||
         word == SqlWord::analyze || word == SqlWord::analyse || word == SqlWord::verbose)) {
      return;
    }
  }
  statement_.heads[statement_.heads_count++] = {kind, word};
}

// Of a word before INTO. Behind SELECT it is the name of a column.
bool Reader::is_insert(SqlWord word) const {
  return (word == SqlWord::insert || word == SqlWord::merge) && head(0) != SqlWord::select;
}

// Keywords that mean something in the midst of a statement.
void Reader::take_keyword(SqlWord word) {
  const std::array<SqlWord, 3>& last = statement_.last;
  if (word == SqlWord::update) {
    statement_.update = true;
  } else if (word == SqlWord::temp || word == SqlWord::temporary) {
    const bool qualified = last[0] == SqlWord::local || last[0] == SqlWord::global;
    const std::size_t into = qualified ? 1 : 0;
    // INSERT INTO temp: a table of that name.
    if (last[into] == SqlWord::into && !is_insert(last[into + 1])) statement_.temporary = true;
  } else if (word == SqlWord::into) {
    // A table is made, where it is a query's own. INSERT INTO and MERGE INTO may stand behind WITH.
    const SqlWord first = head(0);
    const bool query =
        first == SqlWord::select || first == SqlWord::with || first == SqlWord::prepare;
    if (query && !is_insert(last[0])) traits_.defines = true;
  } else if (word == SqlWord::hold) {
    if (last[0] == SqlWord::with && head(0) == SqlWord::declare) add(SqlTrait::held_cursor);
  } else if (word == SqlWord::drop) {
    if (last[0] == SqlWord::commit && last[1] == SqlWord::on) statement_.on_commit_drop = true;
  } else if (word == SqlWord::execute) {
    if (last[0] == SqlWord::as && head(0) == SqlWord::create) add(SqlTrait::execute);
  } else if (word == SqlWord::atomic) {
    if (last[0] == SqlWord::begin && creates_routine()) {
      // The statements of the body follow, each with its semicolon. None of those that PostgreSQL takes
      // there begins with END, so END is where the body ends. They are not counted; their bits are, so
      // that a text in which this is wrong cannot hide anything.
      in_routine_body_ = true;
      end_statement();
    }
  }
}

bool Reader::creates_routine() const {
  if (head(0) != SqlWord::create) return false;
  const std::size_t kind = head(1) == SqlWord::or_keyword && head(2) == SqlWord::replace ? 3 : 1;
  return head(kind) == SqlWord::function || head(kind) == SqlWord::procedure;
}

void Reader::end_statement() {
  if (in_routine_body_ && head(0) == SqlWord::end) {
    in_routine_body_ = false;
    ++traits_.statements;
    statement_ = {};
    return;
  }
  if (statement_.tokens != 0) {
    if (!in_routine_body_) ++traits_.statements;
    traits_.bits |= bits_of[static_cast<std::size_t>(head(0))];
    traits_.defines = traits_.defines || !defines_nothing[static_cast<std::size_t>(head(0))];
    transaction_by_head();
    session_by_head();
  }
  if (statement_.pg_settings && statement_.update) add(SqlTrait::settings);
  if (statement_.temporary) {
    add(SqlTrait::temporary);
    const bool dropped = head(0) == SqlWord::create && statement_.on_commit_drop;
    temporary_stays_ = temporary_stays_ || !dropped;
  }
  statement_ = {};
}

void Reader::transaction_by_head() {
  const SqlWord first = head(0);
  const bool noise = head(1) == SqlWord::work || head(1) == SqlWord::transaction;
  if (first == SqlWord::begin || (first == SqlWord::start && head(1) == SqlWord::transaction)) {
    add(SqlTrait::begin);
    plain_begin_ = statement_.tokens == (noise ? 2 : 1);
  } else if (first == SqlWord::commit || first == SqlWord::end) {
    if (head(1) != SqlWord::prepared) {
      add(SqlTrait::commit);
    } else {
      traits_.defines = true;  // what its transaction has, in whatever session
    }
  } else if (first == SqlWord::rollback || first == SqlWord::abort) {
    if (head(1) != SqlWord::prepared && head(noise ? 2 : 1) != SqlWord::to) add(SqlTrait::rollback);
  }
}

void Reader::session_by_head() {
  const SqlWord first = head(0);
  if (first == SqlWord::set) {
    if (sets_for_the_session()) {
      add(SqlTrait::settings);
    } else if (head(1) == SqlWord::local) {
      add(SqlTrait::settings_local);
    }
  } else if (first == SqlWord::reset) {
    if (head(1) == SqlWord::all) add(SqlTrait::reset_all);
  } else if (first == SqlWord::discard) {
    if (head(1) == SqlWord::all) traits_.bits |= SqlTrait::reset_all | SqlTrait::discard_all;
  } else if (first == SqlWord::prepare) {
    // PREPARE transaction AS …: a statement of that name.
    const bool two_phase =
        head(1) == SqlWord::transaction && statement_.heads[2].kind == SqlTokenKind::string;
    if (!two_phase) add(SqlTrait::prepare);
  } else if (first == SqlWord::create) {
    statement_.temporary = statement_.temporary || creates_temporary();
  }
}

bool Reader::sets_for_the_session() const {
  const SqlWord second = head(1);
  if (second != SqlWord::local && second != SqlWord::transaction &&
      second != SqlWord::constraints) {
    return true;
  }
  // SET local.x = 1: a setting whose prefix is spelled like the keyword.
  return !is_name(statement_.heads[2]) || head(2) == SqlWord::to;
}

bool Reader::creates_temporary() const {
  std::size_t i = head(1) == SqlWord::or_keyword && head(2) == SqlWord::replace ? 3 : 1;
  if (head(i) == SqlWord::local || head(i) == SqlWord::global) ++i;
  return head(i) == SqlWord::temp || head(i) == SqlWord::temporary;
}

SqlTraits Reader::finish() {
  end_statement();
  if (in_routine_body_) ++traits_.statements;
  if (plain_begin_ && traits_.statements == 1) add(SqlTrait::plain_begin);
  if (traits_.has(SqlTrait::temporary) && !temporary_stays_) {
    add(SqlTrait::temporary_on_commit_drop);
  }
  return traits_;
}

}  // namespace

SqlTraits sql_traits(std::string_view sql) noexcept {
  SqlLexer lexer(sql);
  Reader reader;
  for (SqlToken token = lexer.next(); token.kind != SqlTokenKind::end; token = lexer.next()) {
    reader.take(lexer, token);
  }
  return reader.finish();
}

}  // namespace wire
