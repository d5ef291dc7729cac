"""Removal of counters; channels record when they last accepted and last failed."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_KEPT = {
    "accepted_at": "responder_channel_last_success_timestamp_seconds",
    "failed_at": "responder_channel_last_failure_timestamp_seconds",
}


def upgrade() -> None:
    for column, metric in _KEPT.items():
        op.add_column("lanes", sa.Column(column, sa.Float()))
        op.execute(
            f"UPDATE lanes SET {column} ="  # noqa: S608 - both names are constants
            f" (SELECT value FROM tallies WHERE name = '{metric}' AND labels = lanes.channel)"
        )
    op.drop_table("tallies")
