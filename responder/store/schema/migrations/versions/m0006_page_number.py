"""Incidents that page again: the number of the newest alert at their pagers."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("incidents", sa.Column("page_number", sa.Integer(), nullable=False, server_default="1"))
