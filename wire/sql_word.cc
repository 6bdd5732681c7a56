// Hot path: runs once per word of the texts that may_have_traits lets through.
#include "wire/sql_word.h"

#include <array>
#include <cstddef>

namespace wire {
namespace {

struct Entry {
  std::string_view text;
  SqlWord word;
};

// In the order of their first letters.
constexpr std::array entries{
    Entry{"abort", SqlWord::abort},
    Entry{"all", SqlWord::all},
    Entry{"alter", SqlWord::alter},
    Entry{"analyse", SqlWord::analyse},
    Entry{"analyze", SqlWord::analyze},
    Entry{"as", SqlWord::as},
    Entry{"atomic", SqlWord::atomic},
    Entry{"begin", SqlWord::begin},
    Entry{"call", SqlWord::call},
    Entry{"checkpoint", SqlWord::checkpoint},
    Entry{"close", SqlWord::close},
    Entry{"commit", SqlWord::commit},
    Entry{"constraints", SqlWord::constraints},
    Entry{"copy", SqlWord::copy},
    Entry{"create", SqlWord::create},
    Entry{"currval", SqlWord::sequence_value},
    Entry{"dblink_connect", SqlWord::state_function},
    Entry{"dblink_connect_u", SqlWord::state_function},
    Entry{"deallocate", SqlWord::deallocate},
    Entry{"declare", SqlWord::declare},
    Entry{"delete", SqlWord::delete_from},
    Entry{"discard", SqlWord::discard},
    Entry{"do", SqlWord::do_block},
    Entry{"drop", SqlWord::drop},
    Entry{"end", SqlWord::end},
    Entry{"execute", SqlWord::execute},
    Entry{"explain", SqlWord::explain},
    Entry{"fetch", SqlWord::fetch},
    Entry{"function", SqlWord::function},
    Entry{"global", SqlWord::global},
    Entry{"hold", SqlWord::hold},
    Entry{"insert", SqlWord::insert},
    Entry{"into", SqlWord::into},
    Entry{"lastval", SqlWord::sequence_value},
    Entry{"listen", SqlWord::listen},
    Entry{"load", SqlWord::load},
    Entry{"local", SqlWord::local},
    Entry{"lock", SqlWord::lock},
    Entry{"merge", SqlWord::merge},
    Entry{"move", SqlWord::move},
    Entry{"notify", SqlWord::notify},
    Entry{"on", SqlWord::on},
    Entry{"or", SqlWord::or_keyword},
    Entry{"pg_advisory_lock", SqlWord::advisory_lock},
    Entry{"pg_advisory_lock_shared", SqlWord::advisory_lock},
    Entry{"pg_advisory_unlock", SqlWord::advisory_unlock},
    Entry{"pg_advisory_unlock_all", SqlWord::advisory_unlock},
    Entry{"pg_advisory_unlock_shared", SqlWord::advisory_unlock},
    Entry{"pg_backup_start", SqlWord::state_function},
    Entry{"pg_copy_logical_replication_slot", SqlWord::state_function},
    Entry{"pg_copy_physical_replication_slot", SqlWord::state_function},
    Entry{"pg_create_logical_replication_slot", SqlWord::state_function},
    Entry{"pg_create_physical_replication_slot", SqlWord::state_function},
    Entry{"pg_settings", SqlWord::pg_settings},
    Entry{"pg_start_backup", SqlWord::state_function},
    Entry{"pg_temp", SqlWord::pg_temp},
    Entry{"pg_try_advisory_lock", SqlWord::advisory_lock},
    Entry{"pg_try_advisory_lock_shared", SqlWord::advisory_lock},
    Entry{"prepare", SqlWord::prepare},
    Entry{"prepared", SqlWord::prepared},
    Entry{"procedure", SqlWord::procedure},
    Entry{"release", SqlWord::release},
    Entry{"replace", SqlWord::replace},
    Entry{"reset", SqlWord::reset},
    Entry{"rollback", SqlWord::rollback},
    Entry{"savepoint", SqlWord::savepoint},
    Entry{"select", SqlWord::select},
    Entry{"set", SqlWord::set},
    Entry{"set_config", SqlWord::set_config},
    Entry{"setseed", SqlWord::state_function},
    Entry{"show", SqlWord::show},
    Entry{"start", SqlWord::start},
    Entry{"table", SqlWord::table},
    Entry{"temp", SqlWord::temp},
    Entry{"temporary", SqlWord::temporary},
    Entry{"to", SqlWord::to},
    Entry{"transaction", SqlWord::transaction},
    Entry{"truncate", SqlWord::truncate},
    Entry{"unlisten", SqlWord::unlisten},
    Entry{"update", SqlWord::update},
    Entry{"vacuum", SqlWord::vacuum},
    Entry{"values", SqlWord::values},
    Entry{"verbose", SqlWord::verbose},
    Entry{"with", SqlWord::with},
    Entry{"work", SqlWord::work},
};

constexpr std::size_t letter_count = 26;

// The entries of one first letter, and which lengths they have, a bit each.
struct Letter {
  std::uint64_t lengths = 0;
  std::uint8_t begin = 0;
  std::uint8_t end = 0;
};

constexpr std::array<Letter, letter_count> make_letters() {
  std::array<Letter, letter_count> letters{};
  for (std::size_t i = 0; i < entries.size(); ++i) {
    Letter& letter = letters[static_cast<std::size_t>(entries[i].text.front() - 'a')];
    if (letter.lengths == 0) letter.begin = static_cast<std::uint8_t>(i);
    letter.end = static_cast<std::uint8_t>(i + 1);
    letter.lengths |= std::uint64_t{1} << entries[i].text.size();
  }
  return letters;
}

constexpr std::array<Letter, letter_count> letters = make_letters();

constexpr bool in_order() {
  std::size_t in_ranges = 0;
  for (const Letter& letter : letters) in_ranges += letter.end - std::size_t{letter.begin};
  return in_ranges == entries.size() && entries.size() < 256;
}
static_assert(in_order(), "entries of one first letter stand together");

char fold(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool equal_folded(std::string_view small, std::string_view word) {
  for (std::size_t i = 1; i < small.size(); ++i) {
    if (small[i] != fold(word[i])) return false;
  }
  return true;
}

// pg_temp_3 is the same schema under the name that it has in the catalog.
constexpr std::string_view temporary_schema_prefix = "pg_temp_";

}  // namespace

SqlWord find_sql_word(std::string_view word) noexcept {
  if (word.empty() || word.size() >= 64) return SqlWord::none;
  const auto index = static_cast<unsigned char>(fold(word.front()) - 'a');
  if (index >= letter_count) return SqlWord::none;
  const Letter letter = letters[index];
  if ((letter.lengths >> word.size() & 1) != 0) {
    for (std::size_t i = letter.begin; i < letter.end; ++i) {
      if (entries[i].text.size() == word.size() && equal_folded(entries[i].text, word)) {
        return entries[i].word;
      }
    }
  }
  if (index == 'p' - 'a' && word.size() > temporary_schema_prefix.size() &&
      equal_folded(temporary_schema_prefix, word)) {
    return SqlWord::pg_temp;
  }
  return SqlWord::none;
}

SqlWord find_quoted_sql_word(std::string_view name) noexcept {
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') return SqlWord::none;
  }
  const SqlWord word = find_sql_word(name);
  return word >= SqlWord::advisory_lock ? word : SqlWord::none;
}

}  // namespace wire
