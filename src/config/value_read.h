// Values of pgring.toml: from a TOML node to the type of a config member, and back to text.
//
// What:   one read_value and one format_value per member type; type_name is the type's name in
//         docs/config.md.
// Errors: a ValueProblem says where, what was found, what was expected and how to fix it. It never
//         holds the text of a Secret.
// Source: docs/config.md "Values".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "src/config/config.h"
#include "src/config/toml_document.h"

namespace pgring {

struct ValueProblem {
  Position at;
  std::string message;
  std::string hint;
};
using ValueResult = std::optional<ValueProblem>;  // nullopt: the value was read

struct ValueRule {
  std::int64_t min = 0;  // integers, and sizes in bytes
  std::int64_t max = 0;
  std::string_view absent = {};  // the word for "no limit": "off", "unlimited", "auto"; "": none
  std::string_view hint = {};    // what to write instead of an integer out of range; may be empty
};

[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, bool&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, std::uint32_t&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&,
                                     std::optional<std::uint32_t>&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, Duration&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, ByteSize&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, FileMode&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, std::string&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, Secret&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, std::vector<std::string>&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, PoolMode&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, std::optional<PoolMode>&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, OnSessionState&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&,
                                     std::optional<OnSessionState>&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, Share&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, std::optional<Share>&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, AuthMethod&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, LogLevel&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, LogFormat&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, std::vector<RingFeature>&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, TlsMode&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, TlsVersion&);
[[nodiscard]] ValueResult read_value(const TomlNode&, const ValueRule&, TlsNegotiation&);

[[nodiscard]] std::string format_value(bool, const ValueRule&);
[[nodiscard]] std::string format_value(std::uint32_t, const ValueRule&);
[[nodiscard]] std::string format_value(const std::optional<std::uint32_t>&, const ValueRule&);
[[nodiscard]] std::string format_value(Duration, const ValueRule&);
[[nodiscard]] std::string format_value(ByteSize, const ValueRule&);
[[nodiscard]] std::string format_value(FileMode, const ValueRule&);
[[nodiscard]] std::string format_value(const std::string&, const ValueRule&);
[[nodiscard]] std::string format_value(const Secret&, const ValueRule&);
[[nodiscard]] std::string format_value(const std::vector<std::string>&, const ValueRule&);
[[nodiscard]] std::string format_value(PoolMode, const ValueRule&);
[[nodiscard]] std::string format_value(const std::optional<PoolMode>&, const ValueRule&);
[[nodiscard]] std::string format_value(OnSessionState, const ValueRule&);
[[nodiscard]] std::string format_value(const std::optional<OnSessionState>&, const ValueRule&);
[[nodiscard]] std::string format_value(Share, const ValueRule&);
[[nodiscard]] std::string format_value(const std::optional<Share>&, const ValueRule&);
[[nodiscard]] std::string format_value(AuthMethod, const ValueRule&);
[[nodiscard]] std::string format_value(LogLevel, const ValueRule&);
[[nodiscard]] std::string format_value(LogFormat, const ValueRule&);
[[nodiscard]] std::string format_value(const std::vector<RingFeature>&, const ValueRule&);
[[nodiscard]] std::string format_value(TlsMode, const ValueRule&);
[[nodiscard]] std::string format_value(TlsVersion, const ValueRule&);
[[nodiscard]] std::string format_value(TlsNegotiation, const ValueRule&);

}  // namespace pgring
