"""Actions of people on incidents, and the incidents of vendors that stand for them."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("contents", sa.Column("handling", sa.LargeBinary()))
    op.create_table(
        "actions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=True),
        sa.Column("incident", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("entry", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("until", sa.Float()),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("stored_at", sa.Float(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False, server_default=""),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "vendor_incidents",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("incident", sa.Text(), primary_key=True),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=False),
    )
    op.create_index("vendor_incidents_of_incident", "vendor_incidents", ["incident"])
    op.create_index("actions_key", "actions", ["entry", "key"], unique=True)
    op.create_index("actions_of_incident", "actions", ["incident", "id"])
    new = sa.text("state = 'new'")
    op.create_index("actions_new", "actions", ["id"], sqlite_where=new, postgresql_where=new)
