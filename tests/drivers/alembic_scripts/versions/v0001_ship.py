"""Makes the table."""

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None


def upgrade():
    op.create_table("ship", sa.Column("id", sa.Integer, primary_key=True),
                    sa.Column("name", sa.Text, nullable=False))
    op.bulk_insert(sa.table("ship", sa.column("name", sa.Text)), [{"name": "Ark"}])


def downgrade():
    op.drop_table("ship")
