#include "src/auth/ldap_url.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <optional>

namespace pgring {
namespace {

// Takes the text up to `separator`, which goes too, or all of it.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = text.find(separator);
  const std::string_view part = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return part;
}

std::optional<std::string> decoded(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    if (text[0] != '%') {
      result += text[0];
      text.remove_prefix(1);
      continue;
    }
    unsigned value = 0;
    const std::string_view digits = text.substr(1, 2);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
    if (error != std::errc{} || digits.size() != 2 || end != digits.data() + 2) return std::nullopt;
    result += static_cast<char>(value);
    text.remove_prefix(3);
  }
  return result;
}

std::optional<LdapScope> scope_of(std::string_view word) {
  if (word.empty() || word == "base") return LdapScope::base;  // no scope: RFC 4516 says base
  if (word == "one" || word == "onelevel") return LdapScope::one;
  if (word == "sub" || word == "subtree") return LdapScope::subtree;
  if (word == "children" || word == "subordinate") return LdapScope::children;
  return std::nullopt;
}

bool read_host(std::string_view text, LdapOptions& options) {
  if (text.empty()) return true;
  std::string_view host = text;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return false;
    host = text.substr(1, end - 1);
    port = text.substr(end + 1);
    if (!port.empty() && port[0] != ':') return false;
    if (!port.empty()) port.remove_prefix(1);
  } else {
    port = text;
    host = take_until(port, ':');
  }
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), options.port);
    if (error != std::errc{} || end != port.data() + port.size()) return false;
  }
  const auto name = decoded(host);
  if (name) options.server = *name;
  return name.has_value();
}

}  // namespace

Result<void, std::string> read_ldap_url(std::string_view url, LdapOptions& options) {
  const auto wrong = [](std::string_view what) {
    return Unexpected(
        fmt::format("{} (an LDAP URL is ldap://host:port/base?attribute?scope?filter)", what));
  };
  const std::size_t colon = url.find("://");
  const std::string_view scheme = colon == std::string_view::npos ? "" : url.substr(0, colon);
  if (scheme != "ldap" && scheme != "ldaps") {
    return wrong("the LDAP URL begins with neither ldap:// nor ldaps://");
  }
  std::string_view query = url.substr(colon + 3);
  const std::string_view place = take_until(query, '?');
  std::string_view path = place;
  const std::string_view host = take_until(path, '/');
  options.port = scheme == "ldap" ? 389 : 636;
  if (!read_host(host, options)) return wrong("the host of the LDAP URL is wrong");
  options.scheme = scheme;
  const std::string_view attributes = take_until(query, '?');
  const std::string_view scope_word = take_until(query, '?');
  const std::string_view filter = take_until(query, '?');
  std::string_view attribute_list = attributes;
  const auto base_dn = decoded(path);
  const auto attribute = decoded(take_until(attribute_list, ','));
  const auto filter_text = decoded(filter);
  const auto scope = scope_of(scope_word);
  if (!base_dn || !attribute || !filter_text)
    return wrong("the LDAP URL has a % without two hex digits");
  if (!scope) return wrong(fmt::format("\"{}\" is no scope (base, one, sub)", scope_word));
  options.base_dn = *base_dn;
  options.scope = *scope;
  if (!attribute->empty()) options.search_attribute = *attribute;
  if (!filter_text->empty()) options.search_filter = *filter_text;
  return {};
}

}  // namespace pgring
