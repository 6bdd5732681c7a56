// ident files: any text ends in maps or in errors, and any pair of names in an answer.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "src/auth/ident.h"
#include "tests/auth_files/memory_files.h"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace pgring;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  MemoryFiles files(FileMap{{"/etc/a", std::string(text)}, {"/etc/b", "m bob ann\n"}});
  const auto loaded = load_ident("/etc/a", files);
  if (!loaded) {
    require(!loaded.error().empty() && !loaded.error().front().message.empty());
    return 0;
  }
  const FixedMembership membership(FixedMembership::Pairs{{"ann", "admins"}});
  const std::string_view tail = text.substr(text.size() - std::min<std::size_t>(text.size(), 16));
  for (const std::string_view system : {std::string_view("bob@example.com"), tail}) {
    for (const std::string_view role :
         {std::string_view("bob"), std::string_view("stranger"), tail}) {
      for (const IdentRule& rule : loaded->rules()) {
        require(loaded->has_map(rule.map));
        const IdentMatch found = loaded->match(rule.map, system, role, membership);
        const bool is_by_rule = found.kind != IdentMatch::Kind::none && !rule.map.empty();
        require(is_by_rule == (found.rule != nullptr));
        require(found.rule == nullptr || found.rule->map == rule.map);
      }
    }
  }
  return 0;
}
