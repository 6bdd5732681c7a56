"""Adds a column, and an index outside of any transaction."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"


def upgrade():
    op.add_column("ship", sa.Column("tons", sa.Integer, server_default="7"))
    with op.get_context().autocommit_block():
        op.create_index("ship_tons", "ship", ["tons"], postgresql_concurrently=True)


def downgrade():
    op.drop_index("ship_tons", "ship")
    op.drop_column("ship", "tons")
