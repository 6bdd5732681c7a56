// hba files: any text ends in rules or in errors with a place, and any login in an answer.
//
// The input is a file; what stands behind the first line "--- " is a second one that it may include.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "src/auth/hba.h"
#include "tests/auth_files/memory_files.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void match(const pgring::Hba& hba, pgring::HbaRequest request) {
  using namespace pgring;
  const FixedMembership membership(FixedMembership::Pairs{{"ann", "admins"}});
  for (const auto kind :
       {HbaRequest::Kind::unix_socket, HbaRequest::Kind::tcp, HbaRequest::Kind::tls}) {
    request.kind = kind;
    const HbaMatch found = hba.match(request, membership);
    require((found.kind == HbaMatch::Kind::none) == (found.rule == nullptr));
    require(found.kind != HbaMatch::Kind::needs_membership || !found.group.empty() ||
            request.database.empty() || request.role == "stranger");
    require(found.kind != HbaMatch::Kind::needs_host_name ||
            found.rule->address.kind == HbaAddress::Kind::host_name);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgring;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = text.find("\n--- ");
  const std::string_view more = cut == std::string_view::npos ? "" : text.substr(cut + 5);
  MemoryFiles files(FileMap{{"/etc/a", std::string(text.substr(0, cut))},
                            {"/etc/b", std::string(more)},
                            {"/etc/d/c.conf", std::string(more)}});
  const auto loaded = load_hba("/etc/a", files);
  if (!loaded) {
    require(!loaded.error().empty());
    bool has_error = false;
    for (const Diagnostic& error : loaded.error()) {
      require(!error.message.empty() && !error.file.empty());
      require(!to_string(error).empty());
      has_error = has_error || error.severity == Severity::error;
    }
    require(has_error);
    return 0;
  }
  require(!loaded->hba.rules().empty());
  for (const Diagnostic& warning : loaded->warnings) require(warning.severity == Severity::warning);
  // The names come from the input too: its last bytes.
  const std::string_view name = text.substr(text.size() - std::min<std::size_t>(text.size(), 12));
  for (const bool is_physical : {false, true}) {
    HbaRequest request{.address = IpAddress::v4({10, 0, 0, 1}), .database = name, .role = "ann"};
    request.is_physical_replication = is_physical;
    match(loaded->hba, request);
    request.role = "stranger";
    request.database = "app";
    request.address = IpAddress::v6({0xFD, 1});
    match(loaded->hba, request);
    request.role = name;
    request.host_name = {PeerHostName::Kind::known, "db.example.com"};
    match(loaded->hba, request);
  }
  return 0;
}
