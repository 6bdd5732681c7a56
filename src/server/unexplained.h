// A parameter's new value that PostgreSQL has reported. See src/server/server_audit.cc.
#pragma once

#include <string>

namespace pgring {

// Reported during the link and explained by no text.
struct Unexplained {
  std::string name;
  std::string before;
  std::string now;
};

}  // namespace pgring
