// Secret: text that must not reach a log, a console row or a core dump by accident.
//
// What:   owns the bytes of a password or verifier. Prints as ***; wiped on destruction.
// Owner:  whoever holds it; move-only, because a copy is one more place to wipe. clone() says so.
// Life:   a view from reveal() is valid until the Secret is moved from, assigned or destroyed.
// Errors: none.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <memory>
#include <string_view>

namespace pgring {

class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string_view text);
  ~Secret() { wipe(); }
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;

  [[nodiscard]] Secret clone() const { return Secret(reveal()); }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::size_t size() const { return size_; }

  // The bytes themselves, for hashing or sending to PostgreSQL.
  [[nodiscard]] std::string_view reveal() const { return {bytes_.get(), size_}; }

  // Time depends on the lengths only, never on where the texts differ.
  [[nodiscard]] bool equals(std::string_view other) const;
  friend bool operator==(const Secret& a, const Secret& b) { return a.equals(b.reveal()); }

 private:
  void wipe();

  std::unique_ptr<char[]> bytes_;  // never a std::string: its small buffer is left behind by moves
  std::size_t size_ = 0;
};

// What may be shown: *** for a secret that is set, nothing for an empty one.
[[nodiscard]] inline std::string_view masked(const Secret& secret) {
  return secret.empty() ? std::string_view{} : std::string_view{"***"};
}

}  // namespace pgring

template <>
struct fmt::formatter<pgring::Secret> : fmt::formatter<std::string_view> {
  template <class Context>
  auto format(const pgring::Secret& secret, Context& context) const {
    return fmt::formatter<std::string_view>::format(pgring::masked(secret), context);
  }
};
