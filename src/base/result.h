// Result<T, E>: a value or the error that stands for it, with std::expected's member names.
//
// What:   the return type of cold code that can fail (config, login, console). Hot code returns
//         small structs instead.
// Why:    g++ 12 has std::expected, but clang below 19 does not see it in libstdc++. A later switch
//         is one `using`; that is why nothing here goes beyond std::expected.
// Errors: reading the wrong alternative is our bug and aborts (POOLER_CHECK); nothing throws.
#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include "src/base/check.h"

namespace pgring {

template <class E>
class Unexpected {
 public:
  explicit Unexpected(E error) : error_(std::move(error)) {}
  [[nodiscard]] const E& error() const& { return error_; }
  [[nodiscard]] E&& error() && { return std::move(error_); }

 private:
  E error_;
};

template <class T, class E>
class [[nodiscard]] Result {
 public:
  using value_type = T;
  using error_type = E;

  template <class U = T>
    requires(std::is_constructible_v<T, U &&> && !std::is_same_v<std::remove_cvref_t<U>, Result> &&
             !std::is_same_v<std::remove_cvref_t<U>, Unexpected<E>>)
  Result(U&& value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}  // NOLINT: as std
  Result(Unexpected<E> error)                                                    // NOLINT: as std
      : state_(std::in_place_index<1>, std::move(error).error()) {}

  [[nodiscard]] bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  [[nodiscard]] T& value() & { return get<0>(state_); }
  [[nodiscard]] const T& value() const& { return get<0>(state_); }
  [[nodiscard]] T&& value() && { return std::move(get<0>(state_)); }
  [[nodiscard]] E& error() & { return get<1>(state_); }
  [[nodiscard]] const E& error() const& { return get<1>(state_); }
  [[nodiscard]] E&& error() && { return std::move(get<1>(state_)); }

  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  template <class U>
  [[nodiscard]] T value_or(U&& fallback) const& {
    return has_value() ? value() : static_cast<T>(std::forward<U>(fallback));
  }

 private:
  template <std::size_t Index, class State>
  static auto& get(State& state) {
    auto* alternative = std::get_if<Index>(&state);
    POOLER_CHECK(alternative != nullptr);
    return *alternative;
  }

  std::variant<T, E> state_;
};

// An action that has no value of its own.
template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  using value_type = void;
  using error_type = E;

  Result() : state_(std::monostate{}) {}
  Result(Unexpected<E> error) : state_(std::monostate{}) {  // NOLINT: as std
    state_ = Result<std::monostate, E>(std::move(error));
  }

  [[nodiscard]] bool has_value() const { return state_.has_value(); }
  explicit operator bool() const { return has_value(); }
  [[nodiscard]] E& error() & { return state_.error(); }
  [[nodiscard]] const E& error() const& { return state_.error(); }
  [[nodiscard]] E&& error() && { return std::move(state_).error(); }

 private:
  Result<std::monostate, E> state_;
};

}  // namespace pgring
