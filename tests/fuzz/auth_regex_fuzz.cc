// Regular expressions: the first line is one, the rest what it is matched with.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "src/auth/regex.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgring;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = text.find('\n');
  const auto regex = Regex::compile(text.substr(0, cut));
  if (!regex) {
    if (regex.error().empty()) std::abort();
    return 0;
  }
  std::string_view subject = cut == std::string_view::npos ? "" : text.substr(cut + 1);
  subject = subject.substr(0, regex_subject_max);
  const bool matches = regex->matches(subject);
  if (!regex->has_group() || regex->group_is_repeated()) return 0;
  const auto group = regex->find_group(subject);
  // What was found lies in the subject; without a match nothing is found.
  if (group && (!matches || group->data() < subject.data() ||
                group->data() + group->size() > subject.data() + subject.size())) {
    std::abort();
  }
  return 0;
}
