// What a certificate says, in forms the pooler needs.
//
// What:   subject and life for SHOW TLS and warnings, the names of a client for the method cert, the hash
//         for SCRAM-SHA-256-PLUS.
// Life:   results own their text; certificates are borrowed for the call.
// Units:  times in seconds of UTC.
// Errors: a name that holds a NUL byte, or that cannot be printed, is an error: it would be cut somewhere and
//         then be somebody else's (CVE-2009-4034).
// Source: RFC 5929 section 4.1; RFC 2253; auth-cert, "Certificate Authentication".
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "src/base/result.h"

struct x509_st;

namespace pgring {

enum class CertificateUse : std::uint8_t { own, chain, trusted };

struct CertificateInfo {
  CertificateUse use = CertificateUse::own;
  std::string file;
  std::string subject;  // as RFC 2253; empty where it has none
  std::string issuer;
  std::string serial;  // hexadecimal
  std::chrono::sys_seconds not_before{};
  std::chrono::sys_seconds not_after{};
};

[[nodiscard]] CertificateInfo certificate_info(const x509_st* certificate, CertificateUse use,
                                               std::string file);

// "2026-11-21 22:43:00 UTC".
[[nodiscard]] std::string to_text(std::chrono::sys_seconds time);

// Whom a peer's certificate names. All of it was signed by a CA that we trust.
struct PeerNames {
  std::string common_name;         // empty: it has none
  std::string distinguished_name;  // RFC 2253, as PostgreSQL compares it with clientname=DN
  std::vector<std::string> dns_names;
  std::vector<std::string> email_addresses;
  std::vector<std::string> uris;
};
[[nodiscard]] Result<PeerNames, std::string> peer_names(const x509_st* certificate);

// tls-server-end-point: the hash of the server's certificate by the hash of its signature, or SHA-256 where
// that is MD5 or SHA-1. Empty where RFC 5929 does not define it (Ed25519): then there is no channel binding.
class ChannelBinding {
 public:
  static constexpr std::size_t size_max = 64;  // SHA-512

  ChannelBinding() = default;
  [[nodiscard]] static ChannelBinding of(const x509_st* certificate);

  [[nodiscard]] bool empty() const { return size_ == 0; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return std::span{bytes_}.first(size_); }

 private:
  std::array<std::byte, size_max> bytes_{};
  std::size_t size_ = 0;
};

}  // namespace pgring
