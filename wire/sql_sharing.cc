// Hot path: runs once per Query and Parse that could share.
#include "wire/sql_sharing.h"

#include <algorithm>

#include "wire/sql_sharing_reader.h"
#include "wire/sql_sharing_words.h"
#include "wire/sql_traits.h"

namespace wire {
namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

SharingRefusal refusal_by_traits(const SqlTraits& traits) {
  for (const sharing::TraitRefusal& known : sharing::trait_refusals) {
    if (traits.has(known.trait)) return known.refusal;
  }
  if (traits.bits != 0) return SharingRefusal::session_state;
  if (traits.defines) return SharingRefusal::definition;
  return traits.statements == 1 ? SharingRefusal::none : SharingRefusal::several_statements;
}

// Of a Query, without knowing where strings end: at most one semicolon, and only white space behind it.
std::size_t find_inner_semicolon(std::string_view sql) {
  while (!sql.empty() && is_space(sql.back())) sql.remove_suffix(1);
  if (!sql.empty() && sql.back() == ';') sql.remove_suffix(1);
  return sql.find(';');
}

bool is_ascii(std::string_view sql) {
  return std::ranges::all_of(sql, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

// Those that a database may have: PostgreSQL docs, "Character Set Support". The others are of clients only.
bool is_ascii_safe_encoding(std::string_view client_encoding) noexcept {
  for (const std::string_view family :
       {"UTF8", "SQL_ASCII", "LATIN", "WIN", "EUC_", "KOI8", "ISO_8859_"}) {
    if (client_encoding.starts_with(family)) return true;
  }
  return false;
}

SqlSharing sql_sharing(std::string_view sql, SharingTerms terms) noexcept {
  if (sql.size() > shared_text_size_max) return {.refusal = SharingRefusal::too_long};
  if (sql.find('\0') != std::string_view::npos) return {.refusal = SharingRefusal::unreadable};
  if (!terms.ascii_safe_encoding && !is_ascii(sql)) return {.refusal = SharingRefusal::encoding};
  if (terms.form == SqlForm::query) {
    const std::size_t at = find_inner_semicolon(sql);
    if (at != std::string_view::npos) {
      return {.refusal = SharingRefusal::several_statements, .offset = at, .length = 1};
    }
  }
  const SqlSharing result = sharing::Reader(sql, terms).read();
  if (!result.shares() || !may_have_traits(sql)) return result;
  const SharingRefusal refusal = refusal_by_traits(sql_traits(sql));
  return refusal == SharingRefusal::none ? result : SqlSharing{.refusal = refusal};
}

std::string_view to_string(SharingRefusal refusal) noexcept {
  switch (refusal) {
    case SharingRefusal::none:
      return "none";
    case SharingRefusal::too_long:
      return "too_long";
    case SharingRefusal::unreadable:
      return "unreadable";
    case SharingRefusal::backslash:
      return "backslash";
    case SharingRefusal::encoding:
      return "encoding";
    case SharingRefusal::escaped_name:
      return "escaped_name";
    case SharingRefusal::empty:
      return "empty";
    case SharingRefusal::several_statements:
      return "several_statements";
    case SharingRefusal::transaction:
      return "transaction";
    case SharingRefusal::unknown_statement:
      return "unknown_statement";
    case SharingRefusal::setting:
      return "setting";
    case SharingRefusal::session_state:
      return "session_state";
    case SharingRefusal::prepared_statement:
      return "prepared_statement";
    case SharingRefusal::cursor:
      return "cursor";
    case SharingRefusal::listen:
      return "listen";
    case SharingRefusal::temporary:
      return "temporary";
    case SharingRefusal::advisory_lock:
      return "advisory_lock";
    case SharingRefusal::sequence_value:
      return "sequence_value";
    case SharingRefusal::row_lock:
      return "row_lock";
    case SharingRefusal::wait:
      return "wait";
    case SharingRefusal::remote:
      return "remote";
    case SharingRefusal::copy:
      return "copy";
    case SharingRefusal::definition:
      return "definition";
    case SharingRefusal::maintenance:
      return "maintenance";
    case SharingRefusal::utility:
      return "utility";
    case SharingRefusal::code:
      return "code";
    case SharingRefusal::sql_text:
      return "sql_text";
    case SharingRefusal::server_control:
      return "server_control";
    case SharingRefusal::large_object:
      return "large_object";
    case SharingRefusal::large_result:
      return "large_result";
    case SharingRefusal::write:
      return "write";
    case SharingRefusal::unknown_function:
      return "unknown_function";
  }
  return "none";
}

}  // namespace wire
