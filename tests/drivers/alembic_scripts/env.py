"""Alembic's environment, as `alembic init` writes it, with a lock around the migrations."""

import sqlalchemy as sa
from alembic import context

engine = sa.create_engine(context.config.get_main_option("sqlalchemy.url"),
                          poolclass=sa.pool.NullPool, future=True,
                          connect_args={"sslmode": "disable", "gssencmode": "disable"})
with engine.connect() as connection:
    connection.execute(sa.text("select pg_advisory_lock(4200)"))
    connection.commit()
    context.configure(connection=connection, target_metadata=None, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
    unlocked = connection.scalar(sa.text("select pg_advisory_unlock(4200)"))
    connection.commit()
    if unlocked is not True:
        raise RuntimeError("the lock was not ours at the end")
