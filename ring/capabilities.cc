#include "ring/capabilities.h"

#include <array>
#include <utility>

namespace ring {
namespace {

constexpr std::array<std::pair<std::string_view, bool Capabilities::*>, 3> names{{
    {"min_wait", &Capabilities::min_wait},
    {"credit_receive", &Capabilities::credit_receive},
    {"send_vectorized", &Capabilities::send_vectorized},
}};

}  // namespace

bool Capabilities::set(std::string_view name, bool value) {
  for (const auto& [known, member] : names) {
    if (known == name) {
      this->*member = value;
      return true;
    }
  }
  return false;
}

std::string Capabilities::describe() const {
  std::string text;
  for (const auto& [name, member] : names) {
    if (!text.empty()) text += ' ';
    if (!(this->*member)) text += '-';
    text += name;
  }
  return text;
}

Capabilities Capabilities::all() {
  Capabilities result;
  for (const auto& [name, member] : names) result.*member = true;
  return result;
}

Capabilities Capabilities::operator&(const Capabilities& other) const {
  Capabilities result;
  for (const auto& [name, member] : names) result.*member = this->*member && other.*member;
  return result;
}

}  // namespace ring
