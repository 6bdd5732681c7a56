// Hot path: runs once per Query and Parse that could share.
#include "wire/sql_sharing_reader.h"

#include "wire/sql_sharing_words.h"

namespace wire::sharing {
namespace {

using FirstTable = NameTable<first_words>;
using RelationTable = NameTable<refused_relations>;
using FunctionTable = NameTable<refused_functions>;
using GrammarTable = NameTable<grammar_words>;
using SafeTable = NameTable<safe_functions>;

struct Words {
  Word word;
  std::string_view names;
};

constexpr auto words = std::to_array<Words>({
    {Word::as, "as"},
    {Word::by, "by"},
    {Word::character, "bit char character nchar"},
    {Word::delete_from, "delete"},
    {Word::filter, "filter"},
    {Word::for_word, "for"},
    {Word::from, "from"},
    {Word::group, "group"},
    {Word::grouping, "grouping"},
    {Word::insert, "insert"},
    {Word::into, "into"},
    {Word::key, "key"},
    {Word::lateral, "lateral"},
    {Word::materialized, "materialized"},
    {Word::merge, "merge"},
    {Word::no, "no"},
    {Word::not_word, "not"},
    {Word::operator_word, "operator"},
    {Word::order, "order"},
    {Word::ordinality, "ordinality"},
    {Word::over, "over"},
    {Word::partition, "partition"},
    {Word::recursive, "recursive"},
    {Word::select, "select"},
    {Word::sets, "sets"},
    {Word::share, "share"},
    {Word::table, "table"},
    {Word::time, "time"},
    {Word::update, "update"},
    {Word::values, "values"},
    {Word::varying, "varying"},
    {Word::with, "with"},
    {Word::within, "within"},
    {Word::zone, "zone"},
});

using WordTable = NameTable<words>;

bool is_name(const Seen& seen) {
  return seen.kind == SqlTokenKind::word || seen.kind == SqlTokenKind::quoted_identifier;
}

constexpr std::array<bool, 256> make_prefix_letters() {
  std::array<bool, 256> letters{};
  for (const RefusedNames& group : refused_prefixes) {
    for_each_name(group.names, [&](std::string_view prefix) {
      letters[static_cast<unsigned char>(prefix.front())] = true;
    });
  }
  return letters;
}

constexpr std::array<bool, 256> prefix_letters = make_prefix_letters();

bool begins_prefix(std::string_view name) {
  return !name.empty() && prefix_letters[static_cast<unsigned char>(name.front())];
}

SharingRefusal refused_function(const Name& name) {
  if (const auto* const found = FunctionTable::find(name.text(), name.hash())) {
    return found->refusal;
  }
  if (!begins_prefix(name.text())) return SharingRefusal::none;
  for (const RefusedNames& group : refused_prefixes) {
    bool matches = false;
    for_each_name(group.names,
                  [&](std::string_view prefix) { matches = matches || name.starts_with(prefix); });
    if (matches) return group.refusal;
  }
  return SharingRefusal::none;
}

}  // namespace

SqlSharing Reader::read() {
  for (SqlToken token = lexer_.next(); token.kind != SqlTokenKind::end; token = lexer_.next()) {
    if (!take(token)) return result_;
  }
  (void)finish();
  return result_;
}

bool Reader::finish() {
  if (lexer_.unterminated() || depth_ != 0) return refuse(SharingRefusal::unreadable);
  if (!begun_) return refuse(SharingRefusal::empty);
  return true;
}

bool Reader::take(const SqlToken& token) {
  if (token.kind == SqlTokenKind::semicolon) {
    if (depth_ != 0) return refuse(SharingRefusal::unreadable, token);
    ended_ = true;
    return true;
  }
  if (ended_) return refuse(SharingRefusal::several_statements, token);
  Seen seen{.kind = token.kind, .first = lexer_.text(token).front()};
  switch (token.kind) {
    case SqlTokenKind::word:
    case SqlTokenKind::quoted_identifier:
      if (!take_name(token, seen)) return false;
      break;
    case SqlTokenKind::escaped_identifier:
      return refuse(SharingRefusal::escaped_name, token);
    case SqlTokenKind::string:
      if (!take_string(token)) return false;
      break;
    case SqlTokenKind::left_parenthesis:
      if (!open(token)) return false;
      break;
    case SqlTokenKind::right_parenthesis:
      if (depth_ == 0) return refuse(SharingRefusal::unreadable, token);
      seen.closed = parens_[--depth_];
      break;
    case SqlTokenKind::parameter:
    case SqlTokenKind::number:
    case SqlTokenKind::operation:
    case SqlTokenKind::semicolon:
    case SqlTokenKind::end:
      break;
  }
  if (token.kind != SqlTokenKind::left_parenthesis && !take_inside(seen)) return false;
  if (!begun_ && token.kind != SqlTokenKind::left_parenthesis) {
    return refuse(SharingRefusal::unknown_statement, token);
  }
  seen_ = {seen, seen_[0]};
  return true;
}

bool Reader::take_first(const SqlToken& token) {
  begun_ = true;
  const FirstWords* const found =
      token.kind == SqlTokenKind::word ? FirstTable::find(name_.text(), name_.hash()) : nullptr;
  if (found == nullptr) return refuse(SharingRefusal::unknown_statement, token);
  if (found->refusal != SharingRefusal::none) return refuse(found->refusal, token);
  return found->first == First::reads || writes_refused(token);
}

// A name has come; name_ is still the one before.
void Reader::extend_chain() {
  const bool dotted = seen_[0].kind == SqlTokenKind::operation && seen_[0].first == '.';
  if (!dotted) {
    chain_ = {.parts = 1, .before = seen_};
  } else if (is_name(seen_[1])) {
    ++chain_.parts;
    chain_.of_pg_catalog = name_.text() == "pg_catalog";
  } else {
    chain_ = {.parts = 3, .before = seen_};  // (x).y: of what, is not known
  }
}

bool Reader::take_name(const SqlToken& token, Seen& seen) {
  const bool quoted = token.kind == SqlTokenKind::quoted_identifier;
  const std::string_view text = lexer_.text(token);
  extend_chain();
  chain_.quoted = quoted;
  name_token_ = token;
  if (quoted) {
    name_.read_quoted(text);
  } else {
    name_.read_word(text);
    if (const Words* const found = WordTable::find(name_.text(), name_.hash())) {
      seen.word = found->word;
    }
  }
  if (!begun_) {
    if (!take_first(token)) return false;
    with_first_ = seen.word == Word::with;
    seen.begins_statement = true;
  }
  if (const auto* const found = RelationTable::find(name_.text(), name_.hash())) {
    return refuse(found->refusal, token);
  }
  if (name_.has_high_bytes() && name_.starts_with("pg_")) {
    return refuse(SharingRefusal::escaped_name, token);
  }
  return seen.word == Word::none || take_keyword(token, seen);
}

// Keywords that decide in the midst of a statement. Where one of them is a column's name, a text is refused for nothing.
bool Reader::take_keyword(const SqlToken& token, Seen& seen) {
  const Word word = seen.word;
  const Seen& last = seen_[0];
  if (last.word == Word::for_word &&
      (word == Word::update || word == Word::share || word == Word::no || word == Word::key)) {
    return refuse(SharingRefusal::row_lock, token);
  }
  if (word == Word::into) {
    const bool target = last.word == Word::insert || last.word == Word::merge;
    return (target && last.begins_statement) || refuse(SharingRefusal::definition, token);
  }
  if (word == Word::select || word == Word::values || word == Word::table) {
    main_begun_ = main_begun_ || depth_ == 0;
  }
  if (word != Word::insert && word != Word::update && word != Word::delete_from &&
      word != Word::merge) {
    return true;
  }
  // SELECT insert INTO t: a column of that name, and a table is made. A statement begins at the text's begin, at that of
  // a common table expression, and behind the last of them.
  if (last.kind == SqlTokenKind::left_parenthesis) seen.begins_statement = true;
  if (with_first_ && !main_begun_ && depth_ == 0 && last.kind == SqlTokenKind::right_parenthesis) {
    seen.begins_statement = main_begun_ = true;
  }
  return writes_refused(token);
}

bool Reader::take_string(const SqlToken& token) {
  const std::string_view text = lexer_.text(token);
  const char first = static_cast<char>(text.front() | 0x20);
  if (first == 'u') return refuse(SharingRefusal::escaped_name, token);
  const bool escapes = first == 'e';
  const bool dollars = text.front() == '$';
  if (!terms_.standard_conforming_strings && !escapes && !dollars &&
      text.find('\\') != std::string_view::npos) {
    return refuse(SharingRefusal::backslash, token);
  }
  return true;
}

bool Reader::open(const SqlToken& token) {
  if (depth_ == depth_max) return refuse(SharingRefusal::unreadable, token);
  const Seen& last = seen_[0];
  if (call_.waits == Call::Waits::behind_values) {
    call_.waits = Call::Waits::no;
    parens_[depth_ - 1] = Paren::from_item;  // JOIN (VALUES (
  } else if (call_.waits == Call::Waits::first_token && !take_call()) {
    return false;
  }
  if (last.kind == SqlTokenKind::left_parenthesis && parens_[depth_ - 1] == Paren::as_body) {
    parens_[depth_ - 1] = Paren::common_table;
  }
  Paren paren = Paren::other;
  if (is_name(last)) {
    if (!open_behind_name(paren)) return false;
  } else if (last.first == ',') {
    paren = Paren::from_item;
  }
  parens_[depth_++] = paren;
  return true;
}

bool Reader::open_behind_name(Paren& paren) {
  if (chain_.before[0].word == Word::into) return true;  // INSERT INTO t (a, b)
  // Whatever else it might be here, it is no loss.
  const SharingRefusal refusal = refused_function(name_);
  if (refusal != SharingRefusal::none) return refuse(refusal, name_token_);
  if (is_no_call(paren)) return true;
  // A call can stand behind OPERATOR (…).
  paren = seen_[0].word == Word::operator_word ? Paren::other : Paren::call;
  const bool of_pg_catalog = chain_.parts == 2 && chain_.of_pg_catalog;
  const bool known = SafeTable::find(name_.text(), name_.hash()) != nullptr;
  call_ = {.waits = Call::Waits::first_token,
           .known_safe = known && (chain_.parts == 1 || of_pg_catalog),
           .qualified = chain_.parts > 1,
           .always_refused = of_pg_catalog || name_.starts_with("pg_") || name_.has_high_bytes(),
           .name = name_token_};
  return true;
}

// Of a name before a parenthesis.
bool Reader::is_no_call(Paren& paren) const {
  const std::array<Seen, 2>& before = chain_.before;
  const Word word = chain_.parts == 1 && !chain_.quoted ? seen_[0].word : Word::none;
  // A type, a column's or table's name with its columns. No call stands directly behind these.
  if (before[0].word == Word::as || before[0].word == Word::with ||
      before[0].word == Word::recursive || before[0].word == Word::ordinality) {
    paren = word == Word::materialized ? Paren::as_body : Paren::other;
    return true;
  }
  if (before[0].first == ':' && before[1].first == ':') return true;
  if (before[0].kind == SqlTokenKind::right_parenthesis) {
    if (before[0].closed == Paren::call) {
      // f (x) OVER (…), FROM f (x) t (a, b)
      paren = word == Word::filter || word == Word::over ? Paren::call : Paren::other;
      return true;
    }
    // FROM (SELECT …) t (a, b)
    if (before[0].closed == Paren::from_item) return true;
  }
  // WITH a AS (…), b (x, y) AS (…)
  if (before[0].first == ',' && before[1].closed == Paren::common_table) return true;
  if (chain_.parts != 1 || chain_.quoted) return false;
  return is_grammar(word, paren);
}

// Of a word without quotes or a schema.
bool Reader::is_grammar(Word word, Paren& paren) const {
  const Word before = chain_.before[0].word;
  if (word == Word::as) paren = Paren::as_body;
  if (word == Word::from || word == Word::lateral) paren = Paren::from_item;
  // WITHIN GROUP (…) FILTER (…)
  if (word == Word::group && before == Word::within) paren = Paren::call;
  if (word == Word::materialized && before == Word::not_word && chain_.before[1].word == Word::as) {
    paren = Paren::as_body;
    return true;
  }
  return (word == Word::by &&
          (before == Word::group || before == Word::order || before == Word::partition)) ||
         (word == Word::sets && before == Word::grouping) ||
         (word == Word::varying && before == Word::character) ||
         (word == Word::zone && before == Word::time) ||
         GrammarTable::find(name_.text(), name_.hash()) != nullptr;
}

// The first token in a parenthesis, or behind VALUES there. A query that is an argument has parentheses of its own: behind
// f (SELECT there is no call, and f is a word of the grammar, such as JOIN.
bool Reader::take_inside(const Seen& seen) {
  const bool query = seen.word == Word::select || seen.word == Word::with;
  if (query && seen_[0].kind == SqlTokenKind::left_parenthesis &&
      parens_[depth_ - 1] == Paren::as_body) {
    parens_[depth_ - 1] = Paren::common_table;
  }
  if (call_.waits == Call::Waits::no) return true;
  if (call_.waits == Call::Waits::first_token) {
    if (query) {
      call_.waits = Call::Waits::no;
      parens_[depth_ - 1] = Paren::from_item;
      return true;
    }
    if (seen.word == Word::values) {
      call_.waits = Call::Waits::behind_values;
      return true;
    }
  }
  return take_call();
}

bool Reader::take_call() {
  call_.waits = Call::Waits::no;
  if (call_.known_safe) {
    result_.unqualified = result_.unqualified || !call_.qualified;
    return true;
  }
  if (terms_.mode == SharingMode::reads || call_.always_refused) {
    return refuse(SharingRefusal::unknown_function, call_.name);
  }
  result_.writes = true;
  return true;
}

}  // namespace wire::sharing
