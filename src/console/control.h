// The control commands. Whoever asks is an admin: the session has checked.
#pragma once

#include "src/console/answer.h"
#include "src/console/command.h"

namespace pgring::console {

// REQUIRES: is_control(command.verb).
void control(const ConsoleRequest& request, const Command& command);

}  // namespace pgring::console
