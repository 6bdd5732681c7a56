// literal.h: values and names written into SQL text of ours (SET …, replayed for a client).
//
// What:   append_escape_string writes E'…' in pure printable ASCII. It reads the same whatever
//         standard_conforming_strings, backslash_quote and client_encoding are: in SJIS or GBK a
//         byte of a character can be a quote or a backslash, here no such byte is sent.
//         A \xHH escape is a byte in the *database's* encoding, without conversion; a value
//         reported by a server whose client_encoding differs must be ASCII to mean the same.
//         A zero byte becomes \x00, which PostgreSQL refuses: no value is silently cut.
// Source: PostgreSQL docs sql-syntax-strings-escape, "String Constants with C-Style Escapes".
#ifndef WIRE_LITERAL_H_
#define WIRE_LITERAL_H_

#include <string>
#include <string_view>

namespace wire {

void append_escape_string(std::string& out, std::string_view value);

// "…" with quotes doubled; other bytes as they are. REQUIRES: `name` is in client_encoding.
void append_quoted_identifier(std::string& out, std::string_view name);

}  // namespace wire

#endif  // WIRE_LITERAL_H_
