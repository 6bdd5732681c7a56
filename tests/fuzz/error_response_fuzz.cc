// The body of a server's messages that pgring reads: any bytes are refused or read whole.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "wire/backend_key_data.h"
#include "wire/command_tag.h"
#include "wire/error_response.h"
#include "wire/message_builder.h"
#include "wire/parameter_status.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span body = std::as_bytes(std::span{data, size});
  static_cast<void>(wire::parse_parameter_status(body));
  static_cast<void>(wire::parse_command_complete(body));
  static_cast<void>(wire::parse_backend_key_data(body));
  const auto error = wire::parse_error_response(body);
  if (!error) return 0;
  if (!error->sqlstate.empty() && error->sqlstate.size() != 5) std::abort();

  // What was read can be written again and means the same.
  std::string out;
  wire::append_error_response(
      out, {error->severity, error->sqlstate, error->message, error->detail, error->hint});
  const auto again = wire::parse_error_response(std::as_bytes(std::span{out}).subspan(5));
  if (!again || again->message != error->message || again->hint != error->hint) std::abort();
  return 0;
}
