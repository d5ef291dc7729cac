"""Kind of the channel of a message, which stays known after the rule files stop declaring the channel."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("messages", sa.Column("channel_kind", sa.Text(), nullable=False, server_default=""))
