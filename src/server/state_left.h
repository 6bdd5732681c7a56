// What an audit found in a session that was not expected there. Owner: whoever judges it, for a moment.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "src/server/pin_reason.h"
#include "src/session/parameters.h"

namespace pgring {

struct StateLeft {
  std::vector<std::string> settings;  // names; set, changed or taken back
  PinReasons pins;
  bool nobodys = false;  // taken back, or else kept for the client

  [[nodiscard]] bool empty() const { return settings.empty() && pins.empty(); }
  [[nodiscard]] std::string text() const;  // for the log; no values
};

// Whether two spellings of a setting's value cannot mean the same: what a client wrote (6MB, yes) and what PostgreSQL
// says it is (6144, on) may.
[[nodiscard]] bool surely_differs(std::string_view a, std::string_view b);

// The names of settings that are in one list only, or surely have another value.
[[nodiscard]] std::vector<std::string> changed_settings(const ParameterList& before,
                                                        const ParameterList& now);

}  // namespace pgring
