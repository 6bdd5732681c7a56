// What the running kernel offers beyond Linux 6.1, the oldest one supported. Probed once per ring at
// open() by trial, never by version number (distributions backport); each can be forced off, so that
// every path runs on one kernel.
#pragma once

#include <string>
#include <string_view>

namespace ring {

struct Capabilities {
  bool min_wait = false;  // wait for k events at most t (Linux 6.12): fewer wake-ups
  bool credit_receive =
      false;  // a multishot receive that ends after n bytes (6.17); else one-shot ones
  bool send_vectorized = false;  // gather without a msghdr (6.17)

  // Names as in the configuration's `ring.disable`. False: there is no such capability.
  bool set(std::string_view name, bool value);
  // For the log: "min_wait credit_receive -send_vectorized".
  [[nodiscard]] std::string describe() const;
  [[nodiscard]] static Capabilities all();
  // Those of both.
  [[nodiscard]] Capabilities operator&(const Capabilities& other) const;
};

}  // namespace ring
