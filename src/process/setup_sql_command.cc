#include "src/process/setup_sql_command.h"

#include <fmt/format.h>

#include <algorithm>

#include "src/auth/stored_secret.h"
#include "wire/literal.h"

namespace pgring {
namespace {

constexpr std::string_view text =
    R"sql(-- What pgring needs to look secrets up in PostgreSQL. Run it as a superuser, once for each PostgreSQL, in the database of
-- auth.database ("postgres" where that is not set):
--
--   pgring setup-sql | psql -X -v ON_ERROR_STOP=1 -d postgres
--
-- Then in pgring.toml:
--
--   [auth]
--   role = {toml}
--   password = {{ file = "/etc/pgring/auth.password" }}
--
-- and give the role that password with \password {identifier} in psql. With a line for it in pg_hba.conf that says "peer"
-- (and a map from the user pgring runs as) or "cert" it needs no password, and neither does pgring.toml.
--
-- Run again it changes nothing. To take it all back: DROP SCHEMA pgring CASCADE; DROP ROLE {identifier};

BEGIN;
SET LOCAL search_path = pg_catalog;

DO $do$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {literal}) THEN
    CREATE ROLE {identifier};
  END IF;
END
$do$;
-- It may log in and call the function; what else it may is what everybody may.
ALTER ROLE {identifier} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;

CREATE SCHEMA IF NOT EXISTS pgring;
-- Should somebody else have made it: whose schema it is could put another function in its place.
ALTER SCHEMA pgring OWNER TO CURRENT_USER;
REVOKE ALL ON SCHEMA pgring FROM PUBLIC;

-- Not CREATE OR REPLACE, which leaves a function to the owner it has.
DROP FUNCTION IF EXISTS pgring.secret_of(pg_catalog.name);
CREATE FUNCTION pgring.secret_of(wanted pg_catalog.name,
                                 OUT role_name pg_catalog.name, OUT secret pg_catalog.text)
  RETURNS SETOF pg_catalog.record
  LANGUAGE sql STABLE STRICT SECURITY DEFINER
  SET search_path = pg_catalog, pg_temp
AS $function$
  SELECT r.rolname,
         -- As PostgreSQL itself sees it: past VALID UNTIL there is no secret.
         CASE WHEN r.rolvaliduntil OPERATOR(pg_catalog.<) pg_catalog.now() THEN NULL
              ELSE r.rolpassword END
    FROM pg_catalog.pg_authid AS r
   WHERE r.rolname OPERATOR(pg_catalog.=) wanted
     AND r.rolcanlogin
     -- Without the dashes superusers cannot log in through pgring by this:
     -- AND NOT r.rolsuper
$function$;
REVOKE ALL ON FUNCTION pgring.secret_of(pg_catalog.name) FROM PUBLIC;

GRANT USAGE ON SCHEMA pgring TO {identifier};
GRANT EXECUTE ON FUNCTION pgring.secret_of(pg_catalog.name) TO {identifier};
COMMIT;
)sql";

std::string toml_string(std::string_view value) {
  std::string result = "\"";
  for (const char letter : value) {
    if (letter == '"' || letter == '\\') result += '\\';
    result += letter;
  }
  return result + '"';
}

}  // namespace

bool is_setup_role(std::string_view role) {
  return !role.empty() && role.size() <= role_name_size_max &&
         std::ranges::none_of(role, [](char letter) {
           const auto byte = static_cast<unsigned char>(letter);
           return byte < ' ' || byte == 0x7f || letter == '$';
         });
}

std::string setup_sql(std::string_view role) {
  std::string identifier;
  wire::append_quoted_identifier(identifier, role);
  std::string literal;
  wire::append_escape_string(literal, role);
  return fmt::format(text, fmt::arg("identifier", identifier), fmt::arg("literal", literal),
                     fmt::arg("toml", toml_string(role)));
}

}  // namespace pgring
