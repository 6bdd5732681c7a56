// The startup parameter `options`: any text ends in settings with names, or in an error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "wire/literal.h"
#include "wire/sql_traits.h"
#include "wire/startup_options.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // The input lies in a block of its very size: a read beyond it is found.
  static_cast<void>(wire::may_have_traits(text));
  const wire::StartupOptions parsed = wire::parse_startup_options(text);
  if (parsed.error && !parsed.settings.empty()) std::abort();
  for (const wire::StartupOption& option : parsed.settings) {
    if (option.name.empty()) std::abort();
    std::string sql = "SET ";
    wire::append_quoted_identifier(sql, option.name);
    sql.append(" = ");
    wire::append_escape_string(sql, option.value);
    if (!wire::may_have_traits(sql)) std::abort();
  }
  return 0;
}
