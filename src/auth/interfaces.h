// The addresses of this machine's network interfaces, for samehost and samenet in an hba file.
//
// Life:   as they were when asked; an address that comes later counts from the next reload on.
// Errors: the system's reason why it does not tell.
// Source: getifaddrs(3); PostgreSQL's pg_foreach_ifaddr.
#pragma once

#include <string>
#include <vector>

#include "src/auth/hba.h"
#include "src/base/result.h"

namespace pgring {

[[nodiscard]] Result<std::vector<InterfaceAddress>, std::string> read_interfaces();

}  // namespace pgring
