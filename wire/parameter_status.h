// parameter_status.h: a setting's new value, as the server reports it.
//
// Life:   views into the body given.
// Errors: nullopt if the body is not exactly two cstrings, the first not empty.
// Source: PostgreSQL docs protocol-async, "Asynchronous Operations".
#ifndef WIRE_PARAMETER_STATUS_H_
#define WIRE_PARAMETER_STATUS_H_

#include <cstddef>
#include <optional>
#include <span>

#include "wire/name_value.h"

namespace wire {

[[nodiscard]] std::optional<NameValue> parse_parameter_status(
    std::span<const std::byte> body) noexcept;

}  // namespace wire

#endif  // WIRE_PARAMETER_STATUS_H_
