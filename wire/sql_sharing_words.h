// sql_sharing_words.h: the words by which sql_sharing decides, each with its reason. To be reviewed by who knows PostgreSQL.
//
// What:   six tables. Names are in small letters, as PostgreSQL has them, and meant outside of strings and comments, qualified
//         or not, quoted or not, unless said otherwise.
//         tests/integration/test_classifier.py holds the tables against pg_proc and pg_get_keywords of a real server.
#ifndef WIRE_SQL_SHARING_WORDS_H_
#define WIRE_SQL_SHARING_WORDS_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "wire/sql_sharing.h"
#include "wire/sql_traits.h"

namespace wire::sharing {

// 1. The first word. All that shares begins with one of these; parentheses before it do not count.
enum class First : std::uint8_t { reads, writes, refused };

struct FirstWords {
  First first;
  SharingRefusal refusal;
  std::string_view names;
};

inline constexpr auto first_words = std::to_array<FirstWords>({
    {First::reads, SharingRefusal::none, "select table values with"},
    {First::writes, SharingRefusal::none, "delete insert merge update"},
    // What changes the shape of the transaction, or runs outside of any.
    {First::refused, SharingRefusal::transaction,
     "abort begin commit end lock release rollback savepoint start"},
    {First::refused, SharingRefusal::setting, "discard reset set"},
    {First::refused, SharingRefusal::prepared_statement, "deallocate execute prepare"},
    {First::refused, SharingRefusal::cursor, "close declare fetch move"},
    {First::refused, SharingRefusal::listen, "listen unlisten"},
    // As many rows as there are, and a protocol of its own.
    {First::refused, SharingRefusal::copy, "copy"},
    {First::refused, SharingRefusal::code, "call do load"},
    // Strong locks.
    {First::refused, SharingRefusal::definition,
     "alter comment create drop grant import reassign refresh revoke security truncate"},
    {First::refused, SharingRefusal::maintenance,
     "analyse analyze checkpoint cluster reindex vacuum"},
    // EXPLAIN ANALYZE executes, and plain EXPLAIN is not worth the difference; NOTIFY commits one after the other;
    // SHOW is of the session.
    {First::refused, SharingRefusal::utility, "explain notify show"},
});

// 2. What sql_traits finds (its names are in sql_word.cc): set_config, U&"…", pg_temp, SELECT INTO TEMP, pg_advisory_lock,
// lastval, currval, setseed, dblink_connect, a backup's start, replication slots …
struct TraitRefusal {
  SqlTrait trait;
  SharingRefusal refusal;
};

inline constexpr auto trait_refusals = std::to_array<TraitRefusal>({
    {SqlTrait::settings, SharingRefusal::setting},
    {SqlTrait::advisory_lock, SharingRefusal::advisory_lock},
    {SqlTrait::advisory_unlock, SharingRefusal::advisory_lock},
    {SqlTrait::temporary, SharingRefusal::temporary},
    {SqlTrait::sequence_value, SharingRefusal::sequence_value},
});  // any other: session_state

struct RefusedNames {
  SharingRefusal refusal;
  std::string_view names;
};

// 3. Relations, so wherever the name stands.
inline constexpr auto refused_relations = std::to_array<RefusedNames>({
    // Its UPDATE is SET.
    {SharingRefusal::setting, "pg_settings"},
    // They show the session, which is anybody's here.
    {SharingRefusal::session_state, "pg_cursors pg_prepared_statements"},
});

// 4. Functions that sql_traits does not look for: names before a parenthesis.
inline constexpr auto refused_functions = std::to_array<RefusedNames>({
    {SharingRefusal::setting, "pg_show_all_settings"},
    {SharingRefusal::session_state,
     "pg_cursor pg_listening_channels pg_my_temp_schema pg_prepared_statement set_limit"},
    // What they leave is what currval() and lastval() give.
    {SharingRefusal::sequence_value, "nextval setval"},
    {SharingRefusal::wait, "pg_promote pg_sleep pg_sleep_for pg_sleep_until"},
    // They run SQL that stands in a string, which nobody has read.
    {SharingRefusal::sql_text,
     "connectby cursor_to_xml cursor_to_xmlschema database_to_xml database_to_xml_and_xmlschema "
     "database_to_xmlschema query_to_xml query_to_xml_and_xmlschema query_to_xmlschema "
     "schema_to_xml "
     "schema_to_xml_and_xmlschema schema_to_xmlschema table_to_xml table_to_xml_and_xmlschema "
     "table_to_xmlschema ts_rewrite ts_stat xpath_table"},
    // To end, or to stop, another backend: one that serves many.
    {SharingRefusal::server_control,
     "pg_cancel_backend pg_reload_conf pg_switch_wal pg_terminate_backend"},
    {SharingRefusal::maintenance,
     "brin_desummarize_range brin_summarize_new_values brin_summarize_range "
     "gin_clean_pending_list"},
    // Descriptors, files, and values of any size.
    {SharingRefusal::large_object, "loread lowrite"},
    // Their argument says how much there will be, which no history of the text foretells.
    {SharingRefusal::large_result, "generate_series lpad repeat rpad"},
});

// Likewise: how names begin.
inline constexpr auto refused_prefixes = std::to_array<RefusedNames>({
    // Those until the transaction's end too: they wait.
    {SharingRefusal::advisory_lock, "pg_advisory_ pg_try_advisory_"},
    {SharingRefusal::remote, "dblink postgres_fdw_"},
    {SharingRefusal::sql_text, "crosstab"},
    {SharingRefusal::large_object, "lo_"},
    {SharingRefusal::server_control,
     "binary_upgrade_ pg_backup_ pg_logical_ pg_replication_ pg_wal_replay_"},
});

// 5. Keywords before a parenthesis that are no function's name: reserved ones, and those that PostgreSQL calls "non-reserved
// (cannot be function or type)" in every version that there is (json_… were functions before 16). Only without quotes and
// without a schema: s.coalesce(x) is a function. What is not here is taken for one.
struct GrammarWords {
  std::string_view names;
};

inline constexpr auto grammar_words = std::to_array<GrammarWords>({{
    "all and any array as asymmetric between bigint bit boolean both case cast char character "
    "check coalesce collate constraint current_date current_time current_timestamp dec decimal "
    "default distinct else end except exists extract fetch float for foreign from greatest group "
    "grouping having in int integer intersect interval into lateral leading least limit localtime "
    "localtimestamp national nchar not nullif numeric offset on only or order overlay placing "
    "position precision primary real references returning row select setof smallint some "
    "substring symmetric table then time timestamp to trailing trim union unique using values "
    "varchar variadic when where window with xmlattributes xmlconcat xmlelement xmlexists "
    "xmlforest "
    "xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable",
}});

// 6. Functions of pg_catalog that leave nothing behind, wait for nothing and call nothing that a string names. With
// SharingMode::reads, all that is called is here. PostgreSQL 13 has them all, so that nobody needs to have made one of that
// name for want of it.
struct SafeFunctions {
  std::string_view why;
  std::string_view names;
};

inline constexpr auto safe_functions = std::to_array<SafeFunctions>({
    {"text",
     "ascii bit_length btrim char_length character_length chr concat concat_ws convert "
     "convert_from "
     "convert_to decode encode format get_bit get_byte initcap left length like like_escape lower "
     "ltrim md5 notlike octet_length parse_ident pg_client_encoding quote_ident quote_literal "
     "quote_nullable regexp_match regexp_matches regexp_replace regexp_split_to_array "
     "regexp_split_to_table replace reverse right rtrim set_bit set_byte sha224 sha256 sha384 "
     "sha512 "
     "split_part starts_with strpos substr to_ascii to_hex translate upper"},
    {"numbers",
     "abs acos acosd asin asind atan atan2 atan2d atand cbrt ceil ceiling cos cosd cosh cot cotd "
     "degrees div exp factorial floor gcd lcm ln log log10 min_scale mod pi power radians round "
     "scale "
     "sign sin sind sinh sqrt tan tand tanh trim_scale trunc width_bucket"},
    {"dates and times; of the transaction, which is the statement's own",
     "age date date_part date_trunc isfinite justify_days justify_hours justify_interval make_date "
     "make_interval make_time make_timestamp make_timestamptz now statement_timestamp timezone "
     "to_char to_date to_number to_timestamp transaction_timestamp"},
    {"volatile, but what they change shows nowhere",
     "clock_timestamp gen_random_uuid pg_is_in_recovery random timeofday"},
    {"conversions under the name of their type",
     "bool bpchar float4 float8 int2 int4 int8 name oid regclass text timestamptz varbit"},
    {"arrays",
     "array_append array_cat array_dims array_length array_lower array_ndims array_position "
     "array_positions array_prepend array_remove array_replace array_to_string array_upper "
     "cardinality generate_subscripts string_to_array unnest"},
    {"json",
     "array_to_json json_array_elements json_array_elements_text json_array_length "
     "json_build_array "
     "json_build_object json_each json_each_text json_extract_path json_extract_path_text "
     "json_object json_object_keys json_populate_record json_populate_recordset json_strip_nulls "
     "json_to_record json_to_recordset json_typeof jsonb_array_elements jsonb_array_elements_text "
     "jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text "
     "jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_keys "
     "jsonb_path_exists jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query "
     "jsonb_path_query_array jsonb_path_query_array_tz jsonb_path_query_first "
     "jsonb_path_query_first_tz jsonb_path_query_tz jsonb_populate_record jsonb_populate_recordset "
     "jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls jsonb_to_record jsonb_to_recordset "
     "jsonb_typeof row_to_json to_json to_jsonb"},
    {"ranges, addresses, enums, geometry, xml",
     "abbrev area box broadcast center circle daterange diameter enum_first enum_last enum_range "
     "family height host hostmask inet_merge inet_same_family int4range int8range isclosed isempty "
     "isopen lower_inc lower_inf lseg macaddr8_set7bit masklen netmask network npoints numrange "
     "path "
     "point polygon radius range_merge set_masklen tsrange tstzrange upper_inc upper_inf width "
     "xpath "
     "xpath_exists"},
    {"text search",
     "array_to_tsvector get_current_ts_config json_to_tsvector jsonb_to_tsvector numnode "
     "phraseto_tsquery plainto_tsquery querytree setweight strip to_tsquery to_tsvector ts_delete "
     "ts_filter ts_headline ts_rank ts_rank_cd tsquery_phrase tsvector_to_array "
     "websearch_to_tsquery"},
    {"aggregates and window functions",
     "array_agg avg bit_and bit_or bool_and bool_or corr count covar_pop covar_samp cume_dist "
     "dense_rank every first_value json_agg json_object_agg jsonb_agg jsonb_object_agg lag "
     "last_value lead max min mode nth_value ntile percent_rank percentile_cont percentile_disc "
     "rank "
     "regr_avgx regr_avgy regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy "
     "row_number stddev stddev_pop stddev_samp string_agg sum var_pop var_samp variance xmlagg"},
    {"what drivers and tools ask of the catalog",
     "aclexplode col_description current_database current_schema current_schemas "
     "format_type has_any_column_privilege has_column_privilege has_database_privilege "
     "has_function_privilege has_schema_privilege has_sequence_privilege has_table_privilege "
     "has_type_privilege num_nonnulls num_nulls obj_description pg_char_to_encoding "
     "pg_collation_is_visible pg_column_size pg_encoding_to_char pg_function_is_visible "
     "pg_get_constraintdef pg_get_expr pg_get_function_arguments "
     "pg_get_function_identity_arguments pg_get_function_result pg_get_functiondef pg_get_indexdef "
     "pg_get_keywords pg_get_partkeydef pg_get_ruledef pg_get_serial_sequence pg_get_triggerdef "
     "pg_get_userbyid pg_get_viewdef pg_has_role pg_opclass_is_visible pg_operator_is_visible "
     "pg_postmaster_start_time pg_size_pretty pg_table_is_visible pg_type_is_visible pg_typeof "
     "shobj_description to_regclass to_regnamespace to_regproc to_regprocedure to_regrole "
     "to_regtype "
     "version"},
});

}  // namespace wire::sharing

#endif  // WIRE_SQL_SHARING_WORDS_H_
