#include "src/budget/reason.h"

#include "src/base/check.h"

namespace pgring {

std::string_view name_of(Reason reason) {
  switch (reason) {
    case Reason::none:
      return "none";
    case Reason::opening:
      return "opening";
    case Reason::moving:
      return "moving";
    case Reason::server:
      return "server";
    case Reason::ceiling:
      return "ceiling";
    case Reason::database:
      return "database";
    case Reason::role:
      return "role";
    case Reason::pool:
      return "pool";
    case Reason::reserve:
      return "reserve timer";
    case Reason::burst:
      return "burst";
    case Reason::backoff:
      return "backoff";
    case Reason::hysteresis:
      return "hysteresis";
  }
  POOLER_UNREACHABLE();
}

}  // namespace pgring
