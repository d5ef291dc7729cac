"""Indexes for lists of incidents by time, and for the notifications of one incident."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_index("incidents_listed", "incidents", ["opened_at", "id", "open", "severity", "service", "rule"])
    decided = sa.text("incident IS NOT NULL")
    op.create_index(
        "notifications_of_incident",
        "notifications",
        ["incident", "id"],
        sqlite_where=decided,
        postgresql_where=decided,
    )
