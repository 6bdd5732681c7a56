// Which capabilities the running kernel has: feature bits where there are some, else a trial on a
// socket pair (a fraction of a millisecond, once per ring).
#pragma once

#include <liburing.h>

#include "ring/capabilities.h"

namespace ring {

// REQUIRES: nothing is in flight on `ring`; provided-buffer group 3 is unused.
[[nodiscard]] Capabilities probe_capabilities(io_uring& ring);

}  // namespace ring
