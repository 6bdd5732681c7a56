// The words that stand for enumerators in pgring.toml, the console and messages.
//
// What:   one table per enum; name_of() prints, words_of() is what a reader compares with.
// Errors: an enumerator without a word is our bug and aborts.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "src/config/config.h"

namespace pgring {

template <class Enum>
struct Word {
  std::string_view name;
  Enum value;
};

// Each has `static constexpr std::string_view what` and `static constexpr auto words`.
template <class Enum>
struct Words;

template <>
struct Words<PoolMode> {
  static constexpr std::string_view what = "a pool mode";
  static constexpr std::array<Word<PoolMode>, 3> words{{{"session", PoolMode::session},
                                                        {"transaction", PoolMode::transaction},
                                                        {"statement", PoolMode::statement}}};
};
template <>
struct Words<OnSessionState> {
  static constexpr std::string_view what = "a way with session state";
  static constexpr std::array<Word<OnSessionState>, 3> words{{{"pin", OnSessionState::pin},
                                                              {"error", OnSessionState::error},
                                                              {"ignore", OnSessionState::ignore}}};
};
template <>
struct Words<Share> {
  static constexpr std::string_view what = "a way of sharing server connections";
  static constexpr std::array<Word<Share>, 2> words{{{"off", Share::off}, {"reads", Share::reads}}};
};
template <>
struct Words<AuthMethod> {
  static constexpr std::string_view what = "an authentication method";
  static constexpr std::array<Word<AuthMethod>, 3> words{
      {{"scram-sha-256", AuthMethod::scram_sha_256},
       {"md5", AuthMethod::md5},
       {"trust", AuthMethod::trust}}};
};
template <>
struct Words<LogLevel> {
  static constexpr std::string_view what = "a log level";
  static constexpr std::array<Word<LogLevel>, 4> words{{{"debug", LogLevel::debug},
                                                        {"info", LogLevel::info},
                                                        {"warning", LogLevel::warning},
                                                        {"error", LogLevel::error}}};
};
template <>
struct Words<LogFormat> {
  static constexpr std::string_view what = "a log format";
  static constexpr std::array<Word<LogFormat>, 2> words{
      {{"text", LogFormat::text}, {"json", LogFormat::json}}};
};
template <>
struct Words<TlsMode> {
  static constexpr std::string_view what = "a TLS mode";
  static constexpr std::array<Word<TlsMode>, 6> words{{{"disable", TlsMode::disable},
                                                       {"allow", TlsMode::allow},
                                                       {"prefer", TlsMode::prefer},
                                                       {"require", TlsMode::require},
                                                       {"verify-ca", TlsMode::verify_ca},
                                                       {"verify-full", TlsMode::verify_full}}};
};
template <>
struct Words<TlsVersion> {
  static constexpr std::string_view what = "a version of TLS";
  static constexpr std::array<Word<TlsVersion>, 2> words{
      {{"TLSv1.2", TlsVersion::tls1_2}, {"TLSv1.3", TlsVersion::tls1_3}}};
};
template <>
struct Words<TlsNegotiation> {
  static constexpr std::string_view what = "a way to begin TLS";
  static constexpr std::array<Word<TlsNegotiation>, 2> words{
      {{"postgres", TlsNegotiation::postgres}, {"direct", TlsNegotiation::direct}}};
};
template <>
struct Words<RingFeature> {
  static constexpr std::string_view what = "a ring feature";
  static constexpr std::array<Word<RingFeature>, 3> words{
      {{"min_wait", RingFeature::min_wait},
       {"credit_receive", RingFeature::credit_receive},
       {"send_vectorized", RingFeature::send_vectorized}}};
};

template <class Enum>
[[nodiscard]] std::string_view name_of(Enum value) {
  for (const auto& word : Words<Enum>::words) {
    if (word.value == value) return word.name;
  }
  POOLER_UNREACHABLE();
}

}  // namespace pgring
