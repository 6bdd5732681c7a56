"""Tests that fail through pgring today, and why; applied as strict xfail by conftest.py.

"file.py::test" (all its parameters) or "file.py::test[parameter]" -> reason. A test that passes
must leave this list, and a name that no test has is an error. Directly they all pass.
"""

NAMED = "named statements are refused with FATAL 0A000 in transaction mode"
UNNAMED = "the unnamed statement is not kept for its client: 26000"
SQL_PREPARE = "SQL PREPARE stays on one server connection"
SETTINGS = "settings that PostgreSQL does not report are lost and leak"
LOCK = "a session's advisory lock does not keep its server connection"
TEMPORARY = "a temporary table does not keep its server connection"
HELD = "a held cursor does not keep its server connection"
LISTENING = "LISTEN does not keep its server connection"

NOT_YET = {
    "test_asyncpg_default.py::test_two_clients_prepare_different_texts_under_one_name": NAMED,
    "test_asyncpg_default.py::test_explicitly_prepared_statements_live_across_transactions": NAMED,
    "test_asyncpg_default.py::test_a_small_cache_closes_statements": NAMED,
    "test_asyncpg_default.py::test_types_are_looked_up": NAMED,
    "test_asyncpg_default.py::test_startup_settings": NAMED,
    "test_asyncpg_default.py::test_the_reset_of_its_pool_clears_the_own_state_only": NAMED,
    "test_asyncpg_default.py::test_its_pool_with_many_workers": NAMED,
    "test_asyncpg_default.py::test_cursors_and_a_statement_of_many_rows": NAMED,
    "test_asyncpg_default.py::test_copies": NAMED,
    "test_asyncpg_default.py::test_a_changed_table_is_prepared_again_by_itself": NAMED,
    "test_asyncpg_default.py::test_a_listener_hears_while_it_is_idle": NAMED,
    "test_dbd_pg.py::test_dbd_pg_works": NAMED,
    "test_libpq.py::test_libpq_in_pipeline_mode": NAMED,
    "test_libpq.py::test_libpqxx_works": NAMED,
    "test_pgjdbc.py::test_pgjdbc_prepares_in_transaction_mode": NAMED,
    "test_psycopg3_default.py::test_two_clients_prepare_different_texts_under_one_name": NAMED,
    "test_psycopg3_default.py::test_a_full_cache_deallocates_by_name": NAMED,
    "test_psycopg3_default.py::test_a_rollback_deallocates_everything": NAMED,
    "test_psycopg3_default.py::test_a_failed_statement_stays_prepared": NAMED,
    "test_psycopg3_default.py::test_a_changed_table_is_refused_and_a_rollback_mends_it": NAMED,
    "test_psycopg3_default.py::test_a_pipeline_of_many_statements": NAMED,
    "test_psycopg3_default.py::test_an_error_in_a_pipeline_aborts_up_to_its_sync": NAMED,
    "test_psycopg3_default.py::test_startup_options_follow_their_client": NAMED,
    "test_psycopg3_default.py::test_psycopgs_own_pool": NAMED,
    "test_replayed.py::test_pgx_keeps_statements_by_the_hash_of_their_text": NAMED,
    "test_replayed.py::test_prisma_counts_its_statements_from_s0": NAMED,
    "test_replayed.py::test_pdo_and_rails_deallocate_by_name": NAMED,
    "test_replayed.py::test_npgsql_sends_discard_all_before_the_first_query": NAMED,
    "test_replayed.py::test_node_pg_names_statements_and_describes_portals": NAMED,
    "test_replayed.py::test_a_flush_after_parse_is_answered_before_the_sync": NAMED,
    "test_replayed.py::test_gorm_meets_a_changed_table": NAMED,
    "test_sqlalchemy.py::test_asyncpg_beneath": NAMED,
    "test_lib_pq.py::test_lib_pq_works": UNNAMED,
    "test_replayed.py::test_describe_exec_uses_the_unnamed_statement_in_two_trips": UNNAMED,
    "test_psycopg2_default.py::test_discard_all_drops_the_own_state_only": SQL_PREPARE,
    "test_psycopg3_default.py::test_sql_prepare_execute_and_deallocate": SQL_PREPARE,
    "test_migrations.py::test_a_dump_poisons_nobody_and_is_restored": SETTINGS,
    "test_psycopg2_default.py::test_session_settings_of_the_driver": SETTINGS,
    "test_psycopg2_default.py::test_a_reset_brings_the_startup_parameters_back": SETTINGS,
    "test_psycopg2_default.py::test_roles_follow_their_client": SETTINGS,
    "test_psycopg3_default.py::test_settings_follow_their_client_and_are_rolled_back": SETTINGS,
    "test_replayed.py::test_grafana_and_pgadmin_set_several_things_in_one_query": SETTINGS,
    "test_sqlalchemy.py::test_the_queue_pool_with_pre_ping_and_settings_on_connect": SETTINGS,
    "test_migrations.py::test_a_migration_under_a_lock_of_its_session": LOCK,
    "test_migrations.py::test_a_lock_ends_with_its_client": LOCK,
    "test_migrations.py::test_a_lock_that_is_not_held_warns_as_postgresql_does": LOCK,
    "test_psycopg3_default.py::test_temporary_tables_and_advisory_locks": LOCK,
    "test_sqlalchemy.py::test_alembic_migrates_up_and_down": LOCK,
    "test_migrations.py::test_a_psql_script_is_one_session": TEMPORARY,
    "test_django.py::test_django_migrates_and_works": HELD,
    "test_psycopg2_default.py::test_a_held_cursor_in_autocommit_as_django_opens_it": HELD,
    "test_psycopg3_default.py::test_a_held_cursor_outlives_its_transaction": HELD,
    "test_psycopg2_default.py::test_notifications_are_polled": LISTENING,
    "test_psycopg3_default.py::test_notifications_arrive": LISTENING,
    "test_replayed.py::test_queues_listen_on_many_clients": LISTENING,
}
