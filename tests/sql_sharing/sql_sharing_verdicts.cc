// What wire::sql_sharing makes of texts: tests/integration/test_classifier.py executes them on PostgreSQL.
//
//   sql_sharing_verdicts          reads texts from stdin, each behind a line that says how many bytes it has and in which
//                                 session it would be: SIZE reads|all query|parse on|unknown. Writes a line for each:
//                                 REFUSAL read|write qualified|unqualified OFFSET LENGTH
//   sql_sharing_verdicts names    the tables of sql_sharing_words.h, a line for each name: TABLE NAME
#include <cstddef>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "wire/sql_name_table.h"
#include "wire/sql_sharing.h"
#include "wire/sql_sharing_words.h"

namespace {

// The longest text that is read, so that a wrong size does not end in memory.
constexpr std::size_t size_max = 1 << 20;

int judge_texts() {
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::size_t size = 0;
    std::string mode;
    std::string form;
    std::string strings;
    words >> size >> mode >> form >> strings;
    if (!words || size > size_max || (mode != "reads" && mode != "all") ||
        (form != "query" && form != "parse") || (strings != "on" && strings != "unknown")) {
      std::cerr << "no such head: " << line << '\n';
      return 1;
    }
    std::string text(size, '\0');
    if (!std::cin.read(text.data(), static_cast<std::streamsize>(size))) {
      std::cerr << "a text is cut short\n";
      return 1;
    }
    const wire::SqlSharing sharing = wire::sql_sharing(
        text, {.mode = mode == "all" ? wire::SharingMode::all : wire::SharingMode::reads,
               .form = form == "parse" ? wire::SqlForm::parse : wire::SqlForm::query,
               .standard_conforming_strings = strings == "on"});
    std::cout << to_string(sharing.refusal) << (sharing.writes ? " write" : " read")
              << (sharing.unqualified ? " unqualified " : " qualified ") << sharing.offset << ' '
              << sharing.length << '\n'
              << std::flush;
  }
  return 0;
}

template <class Groups>
void print_names(std::string_view table, const Groups& groups) {
  for (const auto& group : groups) {
    wire::for_each_name(group.names,
                        [&](std::string_view name) { std::cout << table << ' ' << name << '\n'; });
  }
}

int print_tables() {
  print_names("first", wire::sharing::first_words);
  print_names("relation", wire::sharing::refused_relations);
  print_names("function", wire::sharing::refused_functions);
  print_names("prefix", wire::sharing::refused_prefixes);
  print_names("grammar", wire::sharing::grammar_words);
  print_names("safe", wire::sharing::safe_functions);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) return judge_texts();
  if (words.size() == 1 && words[0] == "names") return print_tables();
  std::cerr << "usage: sql_sharing_verdicts [names]\n";
  return 2;
}
