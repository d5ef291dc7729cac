"""Actions of the command line on incidents: stored in the database, applied by ``serve``, awaited."""

import getpass
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from responder.cli.errors import FatalError
from responder.model.action import Action, ActionKind
from responder.model.clock import Clock, Deadline
from responder.model.text import one_line

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from responder.model.incident import Incident
    from responder.store.database import Database

_LIST = "run: responder incidents list"
AS = click.option("--as", "person", metavar="NAME", help="Name of the person who acts. [default: the login name]")
WAIT = click.option(
    "--wait",
    metavar="SECONDS",
    type=click.FloatRange(min=0),
    default=5.0,
    show_default=True,
    help="Longest wait for `serve` to apply the action.",
)


def actor_of(person: str | None) -> str:
    """Return the name of the person who acts. Raises UsageError without one."""
    actor = one_line(login() if person is None else person)
    if not actor:
        raise click.UsageError(
            "--as needs a name" if person is not None else "this user has no login name: give --as NAME"
        )
    return actor


def incident_id(text: str) -> str:
    """Return an incident's id as it is stored."""
    return one_line(text).upper()


def find(connection: "Connection", incident: str) -> "Incident":
    """Return an incident. Raises FatalError for an unknown one."""
    from responder.store.incidents import incidents as stored

    found = stored.find(connection, incident_id(incident))
    if found is None:
        raise unknown(incident)
    return found


def unknown(incident: str) -> FatalError:
    """Return the error for an incident that does not exist."""
    return FatalError(f"no incident {one_line(incident)[:40]}; {_LIST}")


def action(kind: ActionKind, incident: str, actor: str, at: datetime, **more: Any) -> Action:
    """Return an action of the command line; ``more`` are further fields."""
    key = f"{kind.value}/{incident}/{actor}/{at.isoformat()}"
    return Action(incident=incident, kind=kind, entry="cli", key=key, actor=actor, at=at, **more)


def carried_out(database: "Database", clock: Clock, wanted: Iterable[Action], wait: float) -> bool:
    """Store actions, print the outcome of each, and return False if one was refused."""
    from responder.store.incidents import actions

    kept = [(each.incident, actions.keep(database, each, each.at)) for each in wanted]
    deadline, good = Deadline(clock.monotonic() + wait), True
    for incident, number in kept:
        row = actions.applied(database, number, deadline, clock)
        said = row.outcome if row and row.state != "new" else "stored; `serve` applies it as soon as it runs"
        refused = row is not None and row.state == "refused"
        good = good and not refused
        click.echo(f"{incident}: {said}", err=refused)
    return good


def login() -> str:
    """Return the login name; empty where there is none: a container's user often has no entry in /etc/passwd."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""
