#include "src/base/version.h"

namespace pgring {
std::string_view version() { return PGRING_VERSION; }
}  // namespace pgring
