#include "src/config/value_read.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/base/join.h"
#include "src/base/near_match.h"
#include "src/config/config_names.h"

namespace pgring {
namespace {

constexpr std::size_t quoted_characters_max = 80;
constexpr std::string_view cannot_be_off = "this one cannot be off";

// Not `quoted`: given a std::string, std::quoted would be found too, and win.
std::string in_quotes(std::string_view text) {
  const bool is_long = text.size() > quoted_characters_max;
  std::string shown = "\"";
  for (const char c : text.substr(0, quoted_characters_max)) {
    shown += static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  }
  return shown + (is_long ? "…\"" : "\"");
}

ValueProblem wrong_kind(const TomlNode& node, std::string_view expected, std::string hint) {
  return {node.at, fmt::format("{} where {} is expected", describe(node.kind), expected),
          std::move(hint)};
}

// All words of an enum, quoted, for "expected …".
template <class Enum>
std::string all_words() {
  std::string text;
  const auto& words = Words<Enum>::words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += fmt::format("\"{}\"", words[i].name);
  }
  return text;
}

template <class Enum>
ValueResult read_word(const TomlNode& node, Enum& value) {
  if (node.kind != TomlKind::string) return wrong_kind(node, all_words<Enum>(), {});
  std::vector<std::string_view> names;
  for (const auto& word : Words<Enum>::words) {
    if (word.name == node.text) {
      value = word.value;
      return std::nullopt;
    }
    names.push_back(word.name);
  }
  const std::string_view near = near_match(node.text, names);
  return ValueProblem{node.at,
                      fmt::format("{} is not {} (expected {})", in_quotes(node.text),
                                  Words<Enum>::what, all_words<Enum>()),
                      near.empty() ? std::string{} : fmt::format("did you mean \"{}\"?", near)};
}

std::string range_text(const ValueRule& rule) {
  std::string text = fmt::format("an integer from {} to {}", rule.min, rule.max);
  if (!rule.absent.empty()) text += fmt::format(", or \"{}\"", rule.absent);
  return text;
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

ValueResult read_integer(const TomlNode& node, const ValueRule& rule, std::uint32_t& value) {
  if (node.kind == TomlKind::string) {
    std::string hint;
    if (is_number(node.text)) hint = fmt::format("write it without quotes: {}", node.text);
    return ValueProblem{
        node.at, fmt::format("{} where {} is expected", in_quotes(node.text), range_text(rule)),
        std::move(hint)};
  }
  if (node.kind != TomlKind::integer) return wrong_kind(node, range_text(rule), {});
  if (node.integer < rule.min || node.integer > rule.max) {
    std::string hint(rule.hint);
    if (hint.empty() && node.integer <= 0 && !rule.absent.empty()) {
      hint = fmt::format("write \"{}\" where no limit is meant", rule.absent);
    }
    return ValueProblem{
        node.at, fmt::format("{} is out of range (expected {})", node.integer, range_text(rule)),
        std::move(hint)};
  }
  value = static_cast<std::uint32_t>(node.integer);
  return std::nullopt;
}

bool is_absent_word(const TomlNode& node, const ValueRule& rule) {
  return !rule.absent.empty() && node.kind == TomlKind::string && node.text == rule.absent;
}

// Text that ends up in a C string, a startup packet or a path.
ValueResult check_text(const TomlNode& node) {
  if (node.text.find('\0') == std::string::npos) return std::nullopt;
  return ValueProblem{node.at, "a zero byte (\\u0000) is not allowed in text", {}};
}

}  // namespace

ValueResult read_value(const TomlNode& node, const ValueRule&, bool& value) {
  if (node.kind != TomlKind::boolean) {
    std::string hint;
    if (node.kind == TomlKind::integer && (node.integer == 0 || node.integer == 1)) {
      hint = node.integer == 1 ? "write true" : "write false";
    } else if (node.text == "true" || node.text == "false") {
      hint = fmt::format("write it without quotes: {}", node.text);
    }
    return wrong_kind(node, "true or false", std::move(hint));
  }
  value = node.boolean;
  return std::nullopt;
}

ValueResult read_value(const TomlNode& node, const ValueRule& rule, std::uint32_t& value) {
  return read_integer(node, rule, value);
}

ValueResult read_value(const TomlNode& node, const ValueRule& rule,
                       std::optional<std::uint32_t>& value) {
  if (is_absent_word(node, rule)) {
    value = std::nullopt;
    return std::nullopt;
  }
  std::uint32_t number = 0;
  auto problem = read_integer(node, rule, number);
  if (!problem) value = number;
  return problem;
}

ValueResult read_value(const TomlNode& node, const ValueRule& rule, Duration& value) {
  if (is_absent_word(node, rule)) {
    value = duration_off;
    return std::nullopt;
  }
  if (rule.absent.empty() && node.kind == TomlKind::string && node.text == "off") {
    return ValueProblem{node.at, "\"off\" where a duration such as \"30s\" is expected",
                        std::string(cannot_be_off)};
  }
  const std::string or_off = rule.absent.empty() ? "" : " or \"off\"";
  if (node.kind == TomlKind::integer || node.kind == TomlKind::floating) {
    std::string hint = "durations are text with a unit: \"1500ms\", \"30s\"";
    if (node.kind == TomlKind::integer && node.integer > 0) {
      hint = fmt::format("add the unit: \"{}s\" for seconds, \"{}ms\" for milliseconds",
                         node.integer, node.integer);
    } else if (node.kind == TomlKind::integer && node.integer == 0) {
      hint = rule.absent.empty() ? cannot_be_off : "write \"off\" where no limit is meant";
    }
    return wrong_kind(node, "a duration such as \"30s\"" + or_off, std::move(hint));
  }
  if (node.kind != TomlKind::string) {
    return wrong_kind(node, "a duration such as \"30s\"" + or_off, {});
  }
  auto duration = parse_duration(node.text);
  if (!duration) {
    UnitProblem problem = std::move(duration).error();
    if (rule.absent.empty() && problem.hint.find("\"off\"") != std::string::npos) {
      problem.hint = cannot_be_off;
    }
    return ValueProblem{node.at, in_quotes(node.text) + " " + problem.message,
                        std::move(problem.hint)};
  }
  value = *duration;
  return std::nullopt;
}

ValueResult read_value(const TomlNode& node, const ValueRule& rule, ByteSize& value) {
  if (node.kind != TomlKind::string) {
    std::string hint;
    if (node.kind == TomlKind::integer && node.integer > 0) {
      hint = fmt::format("add the unit: \"{}\"",
                         format_size({static_cast<std::uint64_t>(node.integer)}));
    }
    return wrong_kind(node, "a size such as \"16KiB\"", std::move(hint));
  }
  auto size = parse_size(node.text);
  if (!size) {
    UnitProblem problem = std::move(size).error();
    return ValueProblem{node.at, in_quotes(node.text) + " " + problem.message,
                        std::move(problem.hint)};
  }
  const ByteSize low{static_cast<std::uint64_t>(rule.min)};
  const ByteSize high{static_cast<std::uint64_t>(rule.max)};
  if (*size < low || *size > high) {
    return ValueProblem{node.at,
                        fmt::format("{} is out of range (expected {} to {})", in_quotes(node.text),
                                    format_size(low), format_size(high)),
                        {}};
  }
  value = *size;
  return std::nullopt;
}

ValueResult read_value(const TomlNode& node, const ValueRule&, FileMode& value) {
  constexpr std::string_view expected = "file permissions in octal such as \"0770\"";
  if (node.kind != TomlKind::string) {
    return wrong_kind(node, expected, "file permissions are text: \"0777\"");
  }
  const bool is_octal = node.text.size() >= 3 && node.text.size() <= 4 &&
                        node.text.find_first_not_of("01234567") == std::string::npos;
  const std::uint32_t bits =
      is_octal ? static_cast<std::uint32_t>(std::stoul(node.text, nullptr, 8)) : 0;
  if (!is_octal || bits > 0777) {
    return ValueProblem{node.at, fmt::format("{} is not {}", in_quotes(node.text), expected), {}};
  }
  value.bits = bits;
  return std::nullopt;
}

ValueResult read_value(const TomlNode& node, const ValueRule&, std::string& value) {
  if (node.kind != TomlKind::string) return wrong_kind(node, "a string", {});
  if (auto problem = check_text(node)) return problem;
  value = node.text;
  return std::nullopt;
}

ValueResult read_value(const TomlNode& node, const ValueRule&, Secret& value) {
  if (node.kind != TomlKind::string) return wrong_kind(node, "a string", {});
  if (auto problem = check_text(node)) return problem;
  if (node.text.empty()) {
    return ValueProblem{node.at, "the password is empty", "leave the key out"};
  }
  if (node.text.size() > secret_size_max) {
    return ValueProblem{node.at,
                        fmt::format("the password is {} bytes long (at most {})", node.text.size(),
                                    secret_size_max),
                        {}};
  }
  value = Secret(node.text);
  return std::nullopt;
}

ValueResult read_value(const TomlNode& node, const ValueRule&, std::vector<std::string>& value) {
  if (node.kind != TomlKind::array) {
    std::string hint;
    if (node.kind == TomlKind::string) hint = fmt::format("write [{}]", in_quotes(node.text));
    return wrong_kind(node, "an array of strings", std::move(hint));
  }
  std::vector<std::string> items;
  for (const TomlNode& item : node.items) {
    if (item.kind != TomlKind::string) return wrong_kind(item, "a string", {});
    if (auto problem = check_text(item)) return problem;
    if (item.text.empty()) return ValueProblem{item.at, "an empty string in the array", {}};
    if (std::find(items.begin(), items.end(), item.text) != items.end()) {
      return ValueProblem{item.at, fmt::format("{} is listed twice", in_quotes(item.text)), {}};
    }
    items.push_back(item.text);
  }
  value = std::move(items);
  return std::nullopt;
}

ValueResult read_value(const TomlNode& node, const ValueRule&, PoolMode& value) {
  return read_word(node, value);
}
ValueResult read_value(const TomlNode& node, const ValueRule&, AuthMethod& value) {
  return read_word(node, value);
}
ValueResult read_value(const TomlNode& node, const ValueRule&, LogLevel& value) {
  return read_word(node, value);
}
ValueResult read_value(const TomlNode& node, const ValueRule&, LogFormat& value) {
  return read_word(node, value);
}
ValueResult read_value(const TomlNode& node, const ValueRule&, TlsMode& value) {
  return read_word(node, value);
}
ValueResult read_value(const TomlNode& node, const ValueRule&, TlsVersion& value) {
  return read_word(node, value);
}
ValueResult read_value(const TomlNode& node, const ValueRule&, TlsNegotiation& value) {
  return read_word(node, value);
}

template <class Enum>
static ValueResult read_optional_word(const TomlNode& node, std::optional<Enum>& value) {
  Enum word{};
  auto problem = read_word(node, word);
  if (!problem) value = word;
  return problem;
}

ValueResult read_value(const TomlNode& node, const ValueRule&, std::optional<PoolMode>& value) {
  return read_optional_word(node, value);
}
ValueResult read_value(const TomlNode& node, const ValueRule&, OnSessionState& value) {
  return read_word(node, value);
}
ValueResult read_value(const TomlNode& node, const ValueRule&,
                       std::optional<OnSessionState>& value) {
  return read_optional_word(node, value);
}
ValueResult read_value(const TomlNode& node, const ValueRule&, Share& value) {
  return read_word(node, value);
}
ValueResult read_value(const TomlNode& node, const ValueRule&, std::optional<Share>& value) {
  return read_optional_word(node, value);
}

ValueResult read_value(const TomlNode& node, const ValueRule&, std::vector<RingFeature>& value) {
  if (node.kind != TomlKind::array) return wrong_kind(node, "an array of strings", {});
  std::vector<RingFeature> features;
  for (const TomlNode& item : node.items) {
    RingFeature feature{};
    if (auto problem = read_word(item, feature)) return problem;
    if (std::find(features.begin(), features.end(), feature) != features.end()) {
      return ValueProblem{item.at, fmt::format("{} is listed twice", in_quotes(item.text)), {}};
    }
    features.push_back(feature);
  }
  value = std::move(features);
  return std::nullopt;
}

std::string format_value(bool value, const ValueRule&) { return value ? "true" : "false"; }
std::string format_value(std::uint32_t value, const ValueRule&) { return fmt::to_string(value); }
std::string format_value(const std::optional<std::uint32_t>& value, const ValueRule& rule) {
  return value ? fmt::to_string(*value) : std::string(rule.absent);
}
std::string format_value(Duration value, const ValueRule&) { return format_duration(value); }
std::string format_value(ByteSize value, const ValueRule&) { return format_size(value); }
std::string format_value(FileMode value, const ValueRule&) {
  return fmt::format("{:04o}", value.bits);
}
std::string format_value(const std::string& value, const ValueRule&) { return value; }
std::string format_value(const Secret& value, const ValueRule&) {
  return std::string(masked(value));
}
std::string format_value(const std::vector<std::string>& value, const ValueRule&) {
  return join(value, ", ");
}
std::string format_value(PoolMode value, const ValueRule&) { return std::string(name_of(value)); }
std::string format_value(const std::optional<PoolMode>& value, const ValueRule&) {
  return value ? std::string(name_of(*value)) : std::string{};
}
std::string format_value(OnSessionState value, const ValueRule&) {
  return std::string(name_of(value));
}
std::string format_value(const std::optional<OnSessionState>& value, const ValueRule&) {
  return value ? std::string(name_of(*value)) : std::string{};
}
std::string format_value(Share value, const ValueRule&) { return std::string(name_of(value)); }
std::string format_value(const std::optional<Share>& value, const ValueRule&) {
  return value ? std::string(name_of(*value)) : std::string{};
}
std::string format_value(AuthMethod value, const ValueRule&) { return std::string(name_of(value)); }
std::string format_value(LogLevel value, const ValueRule&) { return std::string(name_of(value)); }
std::string format_value(LogFormat value, const ValueRule&) { return std::string(name_of(value)); }
std::string format_value(TlsMode value, const ValueRule&) { return std::string(name_of(value)); }
std::string format_value(TlsVersion value, const ValueRule&) { return std::string(name_of(value)); }
std::string format_value(TlsNegotiation value, const ValueRule&) {
  return std::string(name_of(value));
}
std::string format_value(const std::vector<RingFeature>& value, const ValueRule&) {
  std::vector<std::string_view> names;
  names.reserve(value.size());
  for (const RingFeature feature : value) names.push_back(name_of(feature));
  return join(names, ", ");
}

}  // namespace pgring
