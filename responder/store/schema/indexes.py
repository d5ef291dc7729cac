"""The indexes of the tables. Migrations create them, and a test compares.

A server never imports this: for a partial index SQLAlchemy loads the dialect of PostgreSQL, which takes 2.5 MB.
"""

from typing import Any

from sqlalchemy import Column, Index, text

from responder.store.schema.tables import (
    actions,
    contents,
    diagnoses,
    gathered_groups,
    incidents,
    messages,
    metadata,
    notifications,
    vendor_incidents,
)

__all__ = ["metadata"]


def _index(name: str, *columns: Column[Any], unique: bool = False, where: str = "") -> None:
    partial: dict[str, Any] = {"sqlite_where": text(where), "postgresql_where": text(where)} if where else {}
    Index(name, *columns, unique=unique, **partial)


_index("notifications_new", notifications.c.id, where="state = 'new'")
_index("notifications_of_incident", notifications.c.incident, notifications.c.id, where="incident IS NOT NULL")
_index("incidents_latest", incidents.c.dedup_key, incidents.c.opened_at)
_index("incidents_resolved", incidents.c.resolved_at)
# Lists by time; the other columns are their filters, so that no row is read in vain.
_index(
    "incidents_listed",
    incidents.c.opened_at,
    incidents.c.id,
    incidents.c.open,
    incidents.c.severity,
    incidents.c.service,
    incidents.c.rule,
)
_index("incidents_to_review", incidents.c.review_at, where="review_at IS NOT NULL")
_index("incidents_unpaged", incidents.c.severity, incidents.c.digest, where="open AND digest <> '' AND channels = ''")
_index("incidents_one_open", incidents.c.dedup_key, unique=True, where="open")
_index("gathered_groups_of_incident", gathered_groups.c.incident)
_index("contents_changed", contents.c.changed_at)
_index("contents_signature", contents.c.signature, contents.c.changed_at, where="signature <> ''")
_index("actions_key", actions.c.entry, actions.c.key, unique=True)
_index("actions_of_incident", actions.c.incident, actions.c.id)
_index("actions_new", actions.c.id, where="state = 'new'")
_index("vendor_incidents_of_incident", vendor_incidents.c.incident)
_index(
    "messages_due", messages.c.channel, messages.c.priority, messages.c.due_at, messages.c.id, where="state = 'waiting'"
)
_index("messages_order", messages.c.ordering_key, messages.c.channel, messages.c.id, where="state = 'waiting'")
_index("messages_dead", messages.c.id, where="state = 'dead'")
_index("messages_replaces", messages.c.replaces, unique=True, where="replaces IS NOT NULL")
_index("messages_of_incident", messages.c.incident, messages.c.channel, messages.c.id)
_index("diagnoses_of_incident", diagnoses.c.incident, diagnoses.c.id)
_index(
    "diagnoses_waiting", diagnoses.c.due_at, diagnoses.c.claimed_until, diagnoses.c.attempt, where="state = 'waiting'"
)
