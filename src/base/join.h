// join: texts with a separator between them.
//
// Why:    fmt::join does the same, but g++ 12 at -O3 warns falsely inside it (stringop-overflow).
// Errors: none.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pgring {

template <class Text>
[[nodiscard]] std::string join(const std::vector<Text>& texts, std::string_view separator) {
  std::string joined;
  for (const Text& text : texts) {
    if (&text != texts.data()) joined += separator;
    joined += text;
  }
  return joined;
}

}  // namespace pgring
