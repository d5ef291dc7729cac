"""Signatures of causes, by which incidents with the same cause are found."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("contents", sa.Column("signature", sa.Text(), nullable=False, server_default=""))
    known = sa.text("signature <> ''")
    op.create_index(
        "contents_signature", "contents", ["signature", "changed_at"], sqlite_where=known, postgresql_where=known
    )
