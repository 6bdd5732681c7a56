// A hostile server in a SCRAM login: the input is its messages, one per line. It does not know the
// secret, so the client never takes it for the real one; what the client sends stays small.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/authentication.h"
#include "wire/byte_reader.h"
#include "wire/limits.h"
#include "wire/scram_client.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view rest(reinterpret_cast<const char*>(data), size);
  static_cast<void>(wire::parse_authentication(wire::as_bytes(rest)));

  // With keys, not a password: a million iterations per input would find nothing.
  static const auto keys = wire::scram_keys_from_password("password", "salt", 1);
  wire::ScramClient client(*keys, "cnonce");
  const std::string_view first = rest.substr(0, rest.find('\n'));
  const wire::ScramClientReply reply = client.receive_first(first);
  if (reply.data.size() > wire::sasl_message_length_max) std::abort();
  if (reply.error && !reply.data.empty()) std::abort();
  if (first.size() < rest.size()) {
    const wire::ScramClientReply end = client.receive_final(rest.substr(first.size() + 1));
    if (!end.error) std::abort();
  }
  if (client.succeeded()) std::abort();
  return 0;
}
