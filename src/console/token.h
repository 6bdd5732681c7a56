// The words of a console command.
//
// What:   cuts a text at white space and comments into words, quoted names and single characters.
// Life:   tokens own their text.
// Errors: a quote or comment without its end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/result.h"

namespace pgring::console {

struct Token {
  enum class Kind : std::uint8_t { word, quoted, character };
  Kind kind = Kind::word;
  std::string text;  // quotes taken off

  [[nodiscard]] bool is(char character) const {
    return kind == Kind::character && text.size() == 1 && text.front() == character;
  }
  // A word, without regard to case. `keyword` is in capitals.
  [[nodiscard]] bool is(std::string_view keyword) const;
};

// The error is the message: "unterminated quoted string".
[[nodiscard]] Result<std::vector<Token>, std::string> read_tokens(std::string_view text);

}  // namespace pgring::console
