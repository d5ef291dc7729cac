"""The tables. All times are seconds since the epoch, UTC. Migrations create them and the indexes; a test compares."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

#: The migration that this version needs; a database at it is not checked further.
HEAD = "0012"

metadata = MetaData()

_Id = BigInteger().with_variant(Integer(), "sqlite")

notifications = Table(
    "notifications",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("received_at", Float, nullable=False),
    Column("cluster", Text, nullable=False),
    Column("state", Text, nullable=False),  # new, decided, failed
    Column("incident", Text),
    Column("outcome", Text),
    sqlite_autoincrement=True,
)

# A table of its own, since marking a notification as decided rewrites its whole row.
payloads = Table(
    "payloads",
    metadata,
    Column("notification", _Id, primary_key=True, autoincrement=False),
    Column("body", LargeBinary, nullable=False),
)

rejects = Table(
    "rejects",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("received_at", Float, nullable=False),
    Column("remote", Text, nullable=False),
    Column("status", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("dedup_key", Text, nullable=False),
    Column("group_key", Text, nullable=False),
    Column("cluster", Text, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("severity", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("runbook", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("channels", Text, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("changed_at", Float, nullable=False),
    Column("resolved_at", Float),
    Column("notification", _Id, nullable=False),
    Column("revision", Text, nullable=False),
    Column("alerts", LargeBinary, nullable=False),
    Column("flaps", Integer, nullable=False, server_default="0"),
    Column("resolve_reason", Text, nullable=False, server_default=""),
    Column("resolve_at", Float),
    Column("review_at", Float),
    Column("reopened_at", Float),
    Column("silenced", Text, nullable=False, server_default=""),
    Column("gone_since", Float),
    Column("digest", Text, nullable=False, server_default=""),
    Column("severity_override", LargeBinary),
    Column("gathered", LargeBinary),
    Column("page_number", Integer, nullable=False, server_default="1"),
)

# The open incident that each gathered group belongs to.
gathered_groups = Table(
    "gathered_groups",
    metadata,
    Column("dedup_key", Text, primary_key=True),
    Column("incident", Text, nullable=False),
)

# The content that messages of an incident or of a digest are composed from. A table of its own, since each change of an
# incident rewrites its whole row.
contents = Table(
    "contents",
    metadata,
    Column("incident", Text, primary_key=True),
    Column("decision", LargeBinary, nullable=False),
    Column("alerts", LargeBinary, nullable=False),
    Column("findings", LargeBinary),
    Column("conclusion", LargeBinary),
    Column("changed_at", Float, nullable=False),
    Column("signature", Text, nullable=False, server_default=""),  # of the cause, equal for equal causes
    Column("transcript", LargeBinary),  # steps of runbooks that were run
    Column("handling", LargeBinary),  # what people did; NULL for nothing
)

# What people do about incidents. An action is committed before its entry point is answered, and applied later.
actions = Table(
    "actions",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("incident", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("entry", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("target", Text, nullable=False),
    Column("until", Float),
    Column("at", Float, nullable=False),
    Column("stored_at", Float, nullable=False),
    Column("state", Text, nullable=False),  # new, applied, unchanged, refused
    Column("outcome", Text, nullable=False, server_default=""),
    sqlite_autoincrement=True,
)

# Incidents of a vendor, by the vendor's id, with the incident here that they stand for.
vendor_incidents = Table(
    "vendor_incidents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("incident", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("seen_at", Float, nullable=False),
)

messages = Table(
    "messages",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("incident", Text, nullable=False),
    Column("ordering_key", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("priority", Integer, nullable=False),
    Column("state", Text, nullable=False),  # waiting, sent, dead, merged, withdrawn
    Column("due_at", Float, nullable=False),
    Column("enrich", Boolean, nullable=False),
    Column("minimal", Boolean, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("claimed_until", Float, nullable=False),
    Column("facts", LargeBinary, nullable=False),
    Column("report", LargeBinary),  # as composed for the accepted attempt, or for the last one that failed
    Column("ref", LargeBinary),
    Column("error", Text),
    Column("written_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("kind", Text, nullable=False, server_default=""),
    Column("merged_into", _Id),  # the newer message that took over
    Column("replaces", _Id),  # the message that this one is the fallback of
    Column("channel_kind", Text, nullable=False, server_default=""),  # empty of messages of earlier versions
    sqlite_autoincrement=True,
)
#: Messages that are not sent, dead or merged.
WAITING = messages.c.state == "waiting"

diagnoses = Table(
    "diagnoses",
    metadata,
    Column("id", _Id, primary_key=True, autoincrement=True),
    Column("incident", Text, nullable=False),
    Column("state", Text, nullable=False),  # waiting, done
    Column("due_at", Float, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("claimed_until", Float, nullable=False),
    Column("written_at", Float, nullable=False),
    Column("ended_at", Float),
    sqlite_autoincrement=True,
)
#: Diagnoses that are not done.
UNFINISHED = diagnoses.c.state == "waiting"

heartbeats = Table(
    "heartbeats",
    metadata,
    Column("cluster", Text, primary_key=True),
    Column("seen_at", Float),
    Column("since", Float, nullable=False),
    Column("watched_at", Float, nullable=False),
)

floods = Table(
    "floods",
    metadata,
    Column("severity", Text, primary_key=True),
    Column("state", LargeBinary, nullable=False),
)

timers = Table(
    "timers",
    metadata,
    Column("name", Text, primary_key=True),
    Column("due_at", Float, nullable=False),
)

channel_states = Table(
    "channel_states",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("full_at", Float, nullable=False),
    Column("paused_until", Float, nullable=False),
    Column("failing_since", Float),
    Column("accepted_at", Float),
    Column("failed_at", Float),
)

# The last valid revision of the rules: one row.
kept_rules = Table(
    "kept_rules",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("revision", Text, nullable=False),
    Column("kept_at", Float, nullable=False),
    Column("content", LargeBinary, nullable=False),
)
