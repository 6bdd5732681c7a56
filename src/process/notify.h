// Messages to the service manager. Source: sd_notify(3): a datagram to $NOTIFY_SOCKET; none set, nothing sent.
#pragma once

#include <string_view>

namespace pgring {

void notify_service_manager(std::string_view state);  // "READY=1\nSTATUS=…"

}  // namespace pgring
