// sql_sharing_reader.h: one pass over a text for sql_sharing. Hot path: see sql_sharing.h.
//
// What:   reads tokens one by one and remembers the two before, the open parentheses and the name at hand. Whatever stands before
//         a parenthesis is taken for a function that is called, but where the grammar lets no call stand.
#ifndef WIRE_SQL_SHARING_READER_H_
#define WIRE_SQL_SHARING_READER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "wire/sql_lexer.h"
#include "wire/sql_name_table.h"
#include "wire/sql_sharing.h"

namespace wire::sharing {

// Words that the reader goes by.
enum class Word : std::uint8_t {
  none,
  // clang-format off
  as, by, character, delete_from, filter, for_word, from, group, grouping, insert, into, key, lateral,
  materialized, merge, no, not_word, operator_word, order, ordinality, over, partition, recursive, select,
  sets, share, table, time, update, values, varying, with, within, zone,
  // clang-format on
};

inline constexpr std::size_t depth_max = 64;
// NAMEDATALEN: longer names are cut by PostgreSQL, and then longer than all that are listed.
inline constexpr std::size_t name_size_max = 63;

// A name as PostgreSQL has it. Of one that is none of those listed, empty.
class Name {
 public:
  void read_word(std::string_view word) {
    size_ = 0;
    has_high_bytes_ = false;
    for (const char c : word) {
      has_high_bytes_ = has_high_bytes_ || static_cast<unsigned char>(c) >= 0x80;
      if (size_ < bytes_.size())
        bytes_[size_++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    if (word.size() > name_size_max) size_ = 0;
    hash_ = name_hash(text());
  }
  // `token` with its quotes. No listed name has a quote in it.
  void read_quoted(std::string_view token) {
    const bool closed = token.size() > 2 && token.back() == '"';
    const std::string_view inside = closed ? token.substr(1, token.size() - 2) : "";
    has_high_bytes_ = false;
    size_ = inside.size() > name_size_max ? 0 : inside.size();
    (void)inside.copy(bytes_.data(), size_);
    hash_ = name_hash(text());
  }
  [[nodiscard]] std::string_view text() const { return {bytes_.data(), size_}; }
  [[nodiscard]] std::uint32_t hash() const { return hash_; }
  // Where a byte is not ASCII's, tolower() of the server's locale has a say: in LATIN5 it makes an i of one.
  [[nodiscard]] bool has_high_bytes() const { return has_high_bytes_; }
  [[nodiscard]] bool starts_with(std::string_view prefix) const {
    return text().starts_with(prefix);
  }

 private:
  std::array<char, name_size_max> bytes_{};
  std::size_t size_ = 0;
  std::uint32_t hash_ = 0;
  bool has_high_bytes_ = false;
};

// What a parenthesis is about, as far as it tells whether a name behind it is called.
enum class Paren : std::uint8_t {
  other,
  call,       // of a function, or FILTER, OVER and the like behind one
  from_item,  // behind FROM, JOIN or a comma
  as_body,    // behind AS: a common table expression if a query begins in it
  common_table,
};

// A token that has been read, as far as later ones are judged by it. In one register's size: it is copied all the time.
struct alignas(8) Seen {
  SqlTokenKind kind = SqlTokenKind::end;
  Word word = Word::none;
  char first = '\0';
  Paren closed = Paren::other;  // of a right parenthesis
  bool begins_statement = false;
};

class Reader {
 public:
  // `sql` must outlive the reader.
  Reader(std::string_view sql, SharingTerms terms) : lexer_(sql), terms_(terms) {}
  [[nodiscard]] SqlSharing read();

 private:
  // A name with what it is qualified by, while it is being read.
  struct Chain {
    std::size_t parts = 0;
    bool of_pg_catalog = false;  // the part before the last
    bool quoted = false;
    std::array<Seen, 2> before{};  // what stands before it, newest first
  };
  // A name before a parenthesis that is taken for a function's, unless a query begins there: known after the next token, or
  // the one behind it.
  struct Call {
    enum class Waits : std::uint8_t { no, first_token, behind_values };
    Waits waits = Waits::no;
    bool known_safe = false;
    bool qualified = false;
    bool always_refused = false;
    SqlToken name;
  };

  bool refuse(SharingRefusal refusal, const SqlToken& token) {
    result_ = {.refusal = refusal, .offset = token.offset, .length = token.length};
    return false;
  }
  bool refuse(SharingRefusal refusal) { return refuse(refusal, {}); }
  // Each gives whether the text may still share.
  bool take(const SqlToken& token);
  bool take_first(const SqlToken& token);
  bool take_name(const SqlToken& token, Seen& seen);
  bool take_keyword(const SqlToken& token, Seen& seen);
  bool take_string(const SqlToken& token);
  bool open(const SqlToken& token);
  bool open_behind_name(Paren& paren);
  bool take_call();
  bool take_inside(const Seen& seen);
  bool finish();
  [[nodiscard]] bool is_no_call(Paren& paren) const;
  [[nodiscard]] bool is_grammar(Word word, Paren& paren) const;
  void extend_chain();
  [[nodiscard]] bool writes_refused(const SqlToken& token) {
    result_.writes = true;
    return terms_.mode == SharingMode::all || refuse(SharingRefusal::write, token);
  }

  SqlLexer lexer_;
  SharingTerms terms_;
  SqlSharing result_;
  std::array<Seen, 2> seen_{};  // newest first
  Name name_;                   // of the newest token, if it is one
  SqlToken name_token_;
  Chain chain_;
  std::array<Paren, depth_max> parens_{};
  std::size_t depth_ = 0;
  Call call_;
  bool begun_ = false;
  bool with_first_ = false;
  bool main_begun_ = false;  // behind WITH: SELECT, INSERT …
  bool ended_ = false;       // a semicolon was there
};

}  // namespace wire::sharing

#endif  // WIRE_SQL_SHARING_READER_H_
