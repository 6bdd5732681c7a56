#include <algorithm>

#include "src/auth/hba.h"
#include "src/base/check.h"

namespace pgring {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

bool type_allows(HbaType type, HbaRequest::Kind kind) {
  switch (type) {
    case HbaType::local:
      return kind == HbaRequest::Kind::unix_socket;
    case HbaType::host:
    case HbaType::hostnogssenc:
      return kind != HbaRequest::Kind::unix_socket;
    case HbaType::hostssl:
      return kind == HbaRequest::Kind::tls;
    case HbaType::hostnossl:
      return kind == HbaRequest::Kind::tcp;
    case HbaType::hostgssenc:
      return false;
  }
  POOLER_UNREACHABLE();
}

bool is_interface(const HbaRequest& request, const IpAddress& peer, bool with_net) {
  return std::any_of(request.interfaces.begin(), request.interfaces.end(),
                     [&](const InterfaceAddress& own) {
                       return with_net ? peer.agrees(own.address, own.mask) : peer == own.address;
                     });
}

Known host_name_fits(const std::string& pattern, const PeerHostName& peer) {
  if (peer.kind != PeerHostName::Kind::known) {
    return peer.kind == PeerHostName::Kind::none ? Known::no : Known::unknown;
  }
  std::string_view name = peer.name;
  if (pattern.starts_with('.')) {
    if (name.size() < pattern.size()) return Known::no;
    name.remove_prefix(name.size() - pattern.size());
  }
  return equal_without_case(pattern, name) ? Known::yes : Known::no;
}

Known address_fits(const HbaAddress& address, const HbaRequest& request) {
  const auto known = [](bool is_so) { return is_so ? Known::yes : Known::no; };
  // PostgreSQL's IPv6 sockets take no IPv4: it would have seen the address inside.
  const IpAddress peer = request.address.unmapped();
  switch (address.kind) {
    case HbaAddress::Kind::all:
      return Known::yes;
    case HbaAddress::Kind::same_host:
      return known(is_interface(request, peer, false));
    case HbaAddress::Kind::same_net:
      return known(is_interface(request, peer, true));
    case HbaAddress::Kind::range:
      return known(peer.agrees(address.base, address.mask));
    case HbaAddress::Kind::host_name:
      return host_name_fits(address.host_name, request.host_name);
  }
  POOLER_UNREACHABLE();
}

// Whether the rule decides; all that is known is looked at before anything unknown is asked for, so that
// no name is looked up for a rule about another database.
HbaMatch try_rule(const HbaRule& rule, const HbaRequest& request, const Membership& membership) {
  if (!type_allows(rule.type, request.kind)) return {};
  const Known address =
      rule.type == HbaType::local ? Known::yes : address_fits(rule.address, request);
  if (address == Known::no) return {};
  NameList::Answer database;
  if (request.is_physical_replication) {
    database.known = rule.databases.has_replication() ? Known::yes : Known::no;
  } else {
    database = rule.databases.has_database(request.database, request.role, membership);
  }
  if (database.known == Known::no) return {};
  const NameList::Answer role = rule.roles.has_role(request.role, membership);
  if (role.known == Known::no) return {};

  using Kind = HbaMatch::Kind;
  if (database.known == Known::unknown) return {Kind::needs_membership, &rule, database.group};
  if (role.known == Known::unknown) return {Kind::needs_membership, &rule, role.group};
  if (address == Known::unknown) return {Kind::needs_host_name, &rule, {}};
  return {Kind::rule, &rule, {}};
}

}  // namespace

HbaMatch Hba::match(const HbaRequest& request, const Membership& membership) const {
  // No database or role of PostgreSQL has such a name, and nothing is matched against half of one.
  const bool is_too_long =
      request.database.size() > regex_subject_max || request.role.size() > regex_subject_max;
  if (is_too_long) return {};
  for (const HbaRule& rule : rules_) {
    const HbaMatch found = try_rule(rule, request, membership);
    if (found.kind != HbaMatch::Kind::none) return found;
  }
  return {};
}

}  // namespace pgring
