// What one client has prepared, by its own names.
//
// What:   a name stands for a pool's Statement and the version this client's own Parse had. The unnamed statement
//         is kept as its Parse came, to be prepared again where the client goes (drivers prepare it in one
//         transaction and bind it in the next); it becomes a Statement only then.
//         Changes are made when the client asks for them, and taken back where the server drops or refuses the
//         request: the note of the request says what was before.
// Owner:  a Client; made at its first Parse.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "src/statement/statement.h"
#include "wire/sql_identifier.h"

namespace pgring {

struct Prepared {
  StatementRef statement;  // none: an SQL PREPARE's, which PostgreSQL itself knows by this name
  Version version;         // none: of a Parse whose description has not come (yet)
};

// The token of one that no server connection has: a copy stands in for it.
inline constexpr std::uint64_t on_no_server = ~std::uint64_t{0};

struct UnnamedStatement {
  bool exists = false;
  bool kept = false;   // body holds it
  bool bound = false;  // since its Parse
  std::uint64_t token =
      0;             // of its Parse; the server connection with the same has this very statement
  std::string body;  // of its Parse, behind the name; not needed where there is a `statement`
  wire::SqlTraits traits;
  std::uint64_t fingerprint = 0;  // wire::sql_fingerprint
  Version version;                // if the client asked for its description
  StatementRef statement;         // once it was needed elsewhere
};

struct ClientStatements {
  std::map<std::string, Prepared, std::less<>> names;
  UnnamedStatement unnamed;
  std::size_t bytes = 0;  // of the texts behind `names`

  [[nodiscard]] Prepared* find(std::string_view name) {
    const auto at = names.find(name.substr(0, wire::identifier_size_max));
    return at == names.end() ? nullptr : &at->second;
  }
  void put(std::string_view name, Prepared prepared) {
    erase(name);
    bytes += size_of(prepared);
    names.emplace(name.substr(0, wire::identifier_size_max), std::move(prepared));
  }
  void erase(std::string_view name) {
    const auto at = names.find(name.substr(0, wire::identifier_size_max));
    if (at == names.end()) return;
    bytes -= size_of(at->second);
    names.erase(at);
  }
  void clear() {
    names.clear();
    bytes = 0;
    unnamed = {};
  }

  [[nodiscard]] static std::size_t size_of(const Prepared& prepared) {
    return prepared.statement == nullptr ? 0 : prepared.statement->key().text.size();
  }
};

}  // namespace pgring
