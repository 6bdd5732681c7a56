// sql_settings.h: names of settings in SQL text that PostgreSQL lists nowhere.
//
// What:   a setting with a dot in its name that no extension has declared is a placeholder: pg_settings does not show it,
//         only who knows its name can ask for it. This reads the names that a text may set: behind SET and RESET,
//         and in strings, such as set_config's first argument. Names that only come as a parameter, or that a
//         function puts together, are not found.
// Source: PostgreSQL docs runtime-config-custom; guc.c (GUC_CUSTOM_PLACEHOLDER).
#ifndef WIRE_SQL_SETTINGS_H_
#define WIRE_SQL_SETTINGS_H_

#include <string>
#include <string_view>
#include <vector>

namespace wire {

// Spelled as in the text; each at most once without regard to case, as PostgreSQL compares them.
[[nodiscard]] std::vector<std::string> custom_setting_names(std::string_view sql);

// Whether a text may set one that custom_setting_names does not find in it: set_config of what is not a plain string, and
// anything in a DO block.
[[nodiscard]] bool sets_unnamed(std::string_view sql);

}  // namespace wire

#endif  // WIRE_SQL_SETTINGS_H_
