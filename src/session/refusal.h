// An error of pgring's own in a client's group. See Client::refuse.
#pragma once

#include <string>
#include <string_view>

namespace pgring {

struct Refusal {
  std::string_view sqlstate;
  std::string message;
  std::string_view hint = {};
  std::string_view routine = {};  // of PostgreSQL's own error, where drivers go by it
  bool is_query = false;          // a Query is refused, not a message of the extended protocol
  std::string before = {};        // messages the client gets before the error
};

}  // namespace pgring
