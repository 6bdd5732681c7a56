#include "src/tls/host_check.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "src/tls/openssl_handle.h"

namespace pgring {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

bool wildcard_matches(std::string_view pattern, std::string_view host) {
  if (pattern.size() < 3 || !pattern.starts_with("*.")) return false;
  const std::string_view domain = pattern.substr(1);
  if (host.size() <= domain.size()) return false;
  const std::size_t label = host.size() - domain.size();
  return equal_without_case(host.substr(label), domain) &&
         host.substr(0, label).find('.') == std::string_view::npos;
}

// The host as an address, if it is one. The older spellings of IPv4 count (inet_aton), as for getaddrinfo.
struct Address {
  explicit Address(std::string_view host) {
    const std::string text{host};
    in_addr four{};
    if (::inet_aton(text.c_str(), &four) != 0) {
      size = sizeof four;
      std::memcpy(bytes.data(), &four, size);
    } else if (::inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) {
      size = sizeof(in6_addr);
    }
  }
  [[nodiscard]] bool is_one() const { return size > 0; }

  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  std::size_t size = 0;
};

std::span<const unsigned char> bytes_of(const ASN1_STRING* text) {
  return {ASN1_STRING_get0_data(text), static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string printed_address(std::span<const unsigned char> address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const int family = address.size() == sizeof(in_addr) ? AF_INET : AF_INET6;
  if (address.size() != sizeof(in_addr) && address.size() != sizeof(in6_addr))
    return "an address of " + std::to_string(address.size()) + " bytes";
  return ::inet_ntop(family, address.data(), text.data(), text.size());
}

// Compares name after name and keeps what the message needs.
class Comparison {
 public:
  explicit Comparison(std::string_view host) : host_{host}, address_{host} {}

  [[nodiscard]] bool host_is_address() const { return address_.is_one(); }
  [[nodiscard]] bool decided() const { return matches_ || has_nul_; }

  void name(const ASN1_STRING* text) {
    const auto bytes = bytes_of(text);
    const std::string_view name{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    has_nul_ = name.find('\0') != std::string_view::npos;
    if (has_nul_) return;
    matches_ =
        equal_without_case(name, host_) || (!address_.is_one() && wildcard_matches(name, host_));
    seen(std::string{name});
  }

  void address(const ASN1_STRING* text) {
    const auto bytes = bytes_of(text);
    matches_ = address_.is_one() &&
               std::ranges::equal(bytes, std::span{address_.bytes}.first(address_.size));
    seen(printed_address(bytes));
  }

  [[nodiscard]] std::string mismatch() const {
    if (matches_) return {};
    if (has_nul_) return "SSL certificate's name contains embedded null";
    if (count_ == 0) return "could not get server's host name from server certificate";
    std::string text = "server certificate for \"" + first_ + "\"";
    if (count_ > 1) {
      text +=
          " (and " + std::to_string(count_ - 1) + (count_ == 2 ? " other name)" : " other names)");
    }
    return text + " does not match host name \"" + std::string{host_} + "\"";
  }

 private:
  void seen(std::string name) {
    if (count_++ == 0) first_ = std::move(name);
  }

  std::string_view host_;
  Address address_;
  std::string first_;
  std::uint32_t count_ = 0;
  bool matches_ = false;
  bool has_nul_ = false;
};

}  // namespace

std::string host_mismatch(const x509_st* certificate, std::string_view host) {
  if (host.empty()) return "host name must be specified for a verified SSL connection";
  Comparison comparison{host};
  const int kind = comparison.host_is_address() ? GEN_IPADD : GEN_DNS;
  // An alternative name of the host's kind forbids the common name; for an address one of the other kind does
  // not, as certificates from before iPAddress was looked at have it.
  bool common_name_counts = true;
  const NamesHandle alternatives{static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr))};
  ERR_clear_error();
  const int count = alternatives == nullptr ? 0 : sk_GENERAL_NAME_num(alternatives.get());
  for (int i = 0; i < count && !comparison.decided(); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(alternatives.get(), i);
    if (name->type == kind) common_name_counts = false;
    if (name->type == GEN_DNS) comparison.name(name->d.dNSName);
    if (name->type == GEN_IPADD) comparison.address(name->d.iPAddress);
  }
  if (common_name_counts && !comparison.decided()) {
    const X509_NAME* const subject = X509_get_subject_name(certificate);
    const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (index >= 0) comparison.name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
  }
  return comparison.mismatch();
}

bool is_server_name(std::string_view host) {
  return !host.empty() && host.find(':') == std::string_view::npos &&
         host.find_first_not_of("0123456789.") != std::string_view::npos;
}

}  // namespace pgring
