"""Tables of the engine, for several machines and long operation."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("labels", sa.Text(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", "labels"),
    )
    op.create_table(
        "timers",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("due_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.add_column("incidents", sa.Column("flaps", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("incidents", sa.Column("hold", sa.Text(), nullable=False, server_default=""))
    op.add_column("incidents", sa.Column("held_until", sa.Float()))
    op.add_column("incidents", sa.Column("review_at", sa.Float()))
    op.add_column("incidents", sa.Column("reopened_at", sa.Float()))
    op.add_column("incidents", sa.Column("silenced", sa.Text(), nullable=False, server_default=""))
    op.add_column("incidents", sa.Column("gone_since", sa.Float()))
    op.add_column("incidents", sa.Column("found", sa.LargeBinary()))
    op.add_column("incidents", sa.Column("gathered", sa.LargeBinary()))
    op.create_table(
        "gathered_groups",
        sa.Column("dedup_key", sa.Text(), nullable=False),
        sa.Column("incident", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("dedup_key"),
    )
    op.create_index("gathered_groups_of_incident", "gathered_groups", ["incident"])
    to_review = sa.text("review_at IS NOT NULL")
    op.create_index(
        "incidents_to_review", "incidents", ["review_at"], sqlite_where=to_review, postgresql_where=to_review
    )
    op.create_table(
        "heartbeats",
        sa.Column("cluster", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.Float(), nullable=True),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("watched_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("cluster"),
    )
    op.add_column("messages", sa.Column("moment", sa.Text(), nullable=False, server_default=""))
    op.add_column("messages", sa.Column("merged_into", sa.BigInteger().with_variant(sa.Integer(), "sqlite")))
    op.add_column("messages", sa.Column("origin", sa.BigInteger().with_variant(sa.Integer(), "sqlite")))
    dead, stand_in = sa.text("state = 'dead'"), sa.text("origin IS NOT NULL")
    op.create_index("messages_dead", "messages", ["id"], sqlite_where=dead, postgresql_where=dead)
    op.create_index(
        "messages_origin", "messages", ["origin"], unique=True, sqlite_where=stand_in, postgresql_where=stand_in
    )
    op.create_table(
        "lanes",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("full_at", sa.Float(), nullable=False),
        sa.Column("paused_until", sa.Float(), nullable=False),
        sa.Column("failing_since", sa.Float()),
        sa.PrimaryKeyConstraint("channel"),
    )
    op.create_index("incidents_resolved", "incidents", ["resolved_at"])
    op.create_index("studies_of_incident", "studies", ["incident", "id"])
    op.add_column("incidents", sa.Column("digest", sa.Text(), nullable=False, server_default=""))
    unpaged = sa.text("open AND digest <> '' AND channels = ''")
    op.create_index(
        "incidents_unpaged",
        "incidents",
        ["severity", "digest"],
        sqlite_where=unpaged,
        postgresql_where=unpaged,
    )
    op.create_table(
        "floods",
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("severity"),
    )
