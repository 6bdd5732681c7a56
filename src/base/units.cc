#include "src/base/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

namespace pgring {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Falling order: what parse_duration demands and format_duration prints.
constexpr std::array<Unit, 5> duration_units{{
    {"d", 86'400'000},
    {"h", 3'600'000},
    {"m", 60'000},
    {"s", 1'000},
    {"ms", 1},
}};
constexpr std::array<Unit, 4> size_units{{
    {"GiB", std::uint64_t{1} << 30},
    {"MiB", std::uint64_t{1} << 20},
    {"KiB", std::uint64_t{1} << 10},
    {"B", 1},
}};

struct Part {
  std::uint64_t number;
  std::string_view unit;
};

// Takes "30" and "s" off the front. nullopt: no digits, or more than 64 bits hold.
std::optional<Part> take_part(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  std::size_t length = 0;
  while (length < text.size() && (text[length] < '0' || text[length] > '9')) ++length;
  const Part part{number, text.substr(0, length)};
  text.remove_prefix(length);
  return part;
}

bool is_all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

Unexpected<UnitProblem> duration_problem(std::string_view text) {
  std::string hint;
  if (is_all_digits(text)) {
    hint = fmt::format("add the unit: \"{}s\" for seconds, \"{}ms\" for milliseconds", text, text);
  } else if (text.find('.') != std::string_view::npos) {
    hint = "fractions are written in the smaller unit: \"1500ms\", not \"1.5s\"";
  } else if (text == "none" || text == "never" || text == "disabled" || text == "OFF") {
    hint = "write \"off\"";
  }
  return Unexpected(UnitProblem{
      "is not a duration (expected numbers with d, h, m, s or ms, such as \"30s\" or \"1h30m\")",
      std::move(hint)});
}

Unexpected<UnitProblem> size_problem(std::string_view text) {
  std::string hint;
  const std::size_t digits = text.find_first_not_of("0123456789");
  if (is_all_digits(text)) {
    hint = fmt::format("add the unit: \"{}B\" for bytes, \"{}KiB\" for units of 1024", text, text);
  } else if (digits != 0 && digits != std::string_view::npos) {
    const char scale = text[digits];
    const std::string_view unit = (scale == 'k' || scale == 'K')   ? "KiB"
                                  : (scale == 'm' || scale == 'M') ? "MiB"
                                  : (scale == 'g' || scale == 'G') ? "GiB"
                                                                   : "";
    if (!unit.empty()) {
      hint = fmt::format("units are powers of 1024: \"{}{}\"", text.substr(0, digits), unit);
    }
  }
  return Unexpected(
      UnitProblem{"is not a size (expected a number with B, KiB, MiB or GiB, such as \"16KiB\")",
                  std::move(hint)});
}

}  // namespace

Result<Duration, UnitProblem> parse_duration(std::string_view text) {
  std::string_view rest = text;
  std::uint64_t total = 0;
  std::size_t next_unit = 0;  // units must fall: "1h30m", never "30m1h"
  if (rest.empty()) return duration_problem(text);
  while (!rest.empty()) {
    const auto part = take_part(rest);
    if (!part) return duration_problem(text);
    while (next_unit < duration_units.size() && duration_units[next_unit].name != part->unit) {
      ++next_unit;
    }
    if (next_unit == duration_units.size()) return duration_problem(text);
    std::uint64_t product = 0;
    if (__builtin_mul_overflow(part->number, duration_units[next_unit].factor, &product) ||
        __builtin_add_overflow(total, product, &total) ||
        total > static_cast<std::uint64_t>(duration_max.count())) {
      return Unexpected(
          UnitProblem{"is too long (at most \"3650d\")", "write \"off\" for no limit"});
    }
    ++next_unit;
  }
  if (total == 0) {
    return Unexpected(
        UnitProblem{"is a duration of zero", "write \"off\" where no limit is meant"});
  }
  return Duration(static_cast<std::int64_t>(total));
}

std::string format_duration(Duration duration) {
  if (duration <= Duration::zero()) return "off";
  auto rest = static_cast<std::uint64_t>(duration.count());
  std::string text;
  for (const Unit& unit : duration_units) {
    if (rest < unit.factor) continue;
    fmt::format_to(std::back_inserter(text), "{}{}", rest / unit.factor, unit.name);
    rest %= unit.factor;
  }
  return text;
}

Result<ByteSize, UnitProblem> parse_size(std::string_view text) {
  std::string_view rest = text;
  const auto part = take_part(rest);
  if (!part || !rest.empty()) return size_problem(text);
  for (const Unit& unit : size_units) {
    if (unit.name != part->unit) continue;
    ByteSize size;
    if (__builtin_mul_overflow(part->number, unit.factor, &size.bytes)) {
      return Unexpected(UnitProblem{"is too large for a size", ""});
    }
    return size;
  }
  return size_problem(text);
}

std::string format_size(ByteSize size) {
  for (const Unit& unit : size_units) {
    if (size.bytes >= unit.factor && size.bytes % unit.factor == 0) {
      return fmt::format("{}{}", size.bytes / unit.factor, unit.name);
    }
  }
  return "0B";
}

}  // namespace pgring
