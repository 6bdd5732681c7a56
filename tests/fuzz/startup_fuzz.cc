// The first packet of a client: any bytes end in need_more, an error or a packet that is sound.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "wire/limits.h"
#include "wire/startup.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span input = std::as_bytes(std::span{data, size});
  const wire::StartupScan scan = wire::scan_startup(input);
  if (scan.kind != wire::StartupScanKind::packet) return 0;
  require(scan.size <= input.size());
  const wire::Startup startup = wire::parse_startup(input.first(scan.size));
  switch (startup.kind) {
    case wire::StartupKind::StartupMessage:
      require(!startup.message.user().empty());
      require(!startup.message.database().empty());
      for (const wire::NameValue& parameter : startup.message.parameters) {
        require(!parameter.name.empty());
      }
      break;
    case wire::StartupKind::CancelRequest:
      require(startup.cancel.secret.size() >= wire::cancel_secret_size_min);
      require(startup.cancel.secret.size() <= wire::cancel_secret_size_max);
      break;
    case wire::StartupKind::refused:
      require(!startup.error.message.empty());
      require(startup.error.sqlstate.size() == 5);
      break;
    case wire::StartupKind::SSLRequest:
    case wire::StartupKind::GSSENCRequest:
      require(scan.size == 8);
      break;
  }
  return 0;
}
