// A client that logs in with SCRAM: the input is its messages, one per line. Whoever does not know
// the password (nobody here does) never gets in.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "wire/authentication.h"
#include "wire/byte_reader.h"
#include "wire/scram_server.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  static_cast<void>(wire::parse_sasl_initial_response(wire::as_bytes(rest)));
  static_cast<void>(wire::parse_scram_secret(rest));

  static const auto secret = wire::scram_mock_secret("user", "process secret", 4096);
  wire::ScramServer server(*secret, wire::ScramUser::real, "nonce");
  for (int messages = 0; messages < 4; ++messages) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    const wire::ScramServerReply reply = server.receive(line);
    if (reply.step == wire::ScramServerStep::succeeded) std::abort();
    if (server.keys()) std::abort();
    if (line.size() == rest.size()) break;
    rest.remove_prefix(line.size() + 1);
  }
  return 0;
}
