// Hba: who may log in from where, and how: PostgreSQL's pg_hba.conf.
//
// What:   load_hba reads a file and all it includes; Hba::match gives the first rule for a login. Nothing
//         here asks anybody anything: what a rule may need beside the login itself, the memberships of a
//         role and the name of a client's host, is handed in, and where it is not known yet the answer
//         says so. The caller finds it out (which must not block a shard) and asks again.
// Owner:  the configuration snapshot. Constant after load_hba(); any number of threads may match at once.
// Units:  names in bytes, compared byte by byte, as PostgreSQL does before it knows an encoding.
// Errors: load_hba gives all errors at once, and no rules if there is one. Matching cannot fail. It
//         allocates nothing and takes time linear in the rules (logarithmic in plain names of one rule).
// Source: PostgreSQL docs, auth-pg-hba-conf; its src/backend/libpq/hba.c of version 18.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/auth/auth_file.h"
#include "src/auth/hba_options.h"
#include "src/auth/ip_address.h"
#include "src/auth/membership.h"
#include "src/auth/name_list.h"
#include "src/base/diagnostic.h"
#include "src/base/result.h"

namespace pgring {

enum class HbaType : std::uint8_t { local, host, hostssl, hostnossl, hostgssenc, hostnogssenc };

struct HbaAddress {
  enum class Kind : std::uint8_t { all, same_host, same_net, range, host_name };
  Kind kind = Kind::all;
  IpAddress base;         // of a range
  IpAddress mask;         // of a range, of the same family; need not be a prefix
  std::string host_name;  // ".example.com" stands for all that end in it
};

struct HbaRule {
  std::string file;
  std::uint32_t line = 0;
  HbaType type = HbaType::local;
  NameList databases;
  NameList roles;
  HbaAddress address;  // not of type local
  HbaMethod method = HbaMethod::reject;
  HbaOptions options;
};

// An address of this machine, for samehost and samenet.
struct InterfaceAddress {
  IpAddress address;
  IpAddress mask;
};

// The client's host name: what the address resolves to, if that name resolves to the address again. A name
// without that proof is the client's word only and counts as none.
struct PeerHostName {
  enum class Kind : std::uint8_t { unknown, none, known };
  Kind kind = Kind::unknown;
  std::string_view name;  // if known
};

struct HbaRequest {
  enum class Kind : std::uint8_t { unix_socket, tcp, tls };
  Kind kind = Kind::tcp;
  IpAddress address;  // of tcp and tls; an IPv4 address in IPv6 clothes counts as IPv4
  std::string_view database;
  std::string_view role;
  bool is_physical_replication =
      false;  // "replication" in the startup packet is on, not "database"
  PeerHostName host_name;
  std::span<const InterfaceAddress> interfaces;
};

struct HbaMatch {
  enum class Kind : std::uint8_t {
    none,             // no rule is for this login: PostgreSQL refuses it
    rule,             // `rule` decides
    needs_host_name,  // `rule` may decide: ask again with HbaRequest::host_name resolved
    needs_membership,  // `rule` may decide: ask again when it is known whether the role is in `group`
  };
  Kind kind = Kind::none;
  const HbaRule* rule = nullptr;
  std::string_view group;
};

class Hba {
 public:
  explicit Hba(std::vector<HbaRule> rules) : rules_(std::move(rules)) {}

  [[nodiscard]] const std::vector<HbaRule>& rules() const { return rules_; }

  // The views in the answer live as long as this Hba and the request's texts.
  [[nodiscard]] HbaMatch match(const HbaRequest& request, const Membership& membership) const;

 private:
  std::vector<HbaRule> rules_;  // at least one
};

struct LoadedHba {
  Hba hba;
  Diagnostics warnings;  // what PostgreSQL accepts, and hardly anybody means
};

[[nodiscard]] Result<LoadedHba, Diagnostics> load_hba(const std::string& path, AuthFiles& files);

[[nodiscard]] std::string_view to_string(HbaType type);

}  // namespace pgring
