"""Transcripts: the steps of runbooks that were run during an incident."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("contents", sa.Column("transcript", sa.LargeBinary(), nullable=True))
