"""``responder silences``: list, create and expire silences of incidents in Alertmanager."""

import contextlib
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from responder import bootstrap
from responder.cli.acting import AS, WAIT, action, actor_of, carried_out, find, incident_id
from responder.cli.errors import FAILED, FatalError, named_failures
from responder.cli.options import AUTO_OUTPUT
from responder.cli.table import Column, format_time, print_rows
from responder.model.action import ActionKind
from responder.model.clock import Clock
from responder.model.silence import SilenceReach, incident_of
from responder.model.text import number_of, one_line
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.model.incident import Incident
    from responder.outgoing.alertmanager_api import GettableSilence
    from responder.outgoing.silences import Silences
    from responder.store.database import Database

#: Form of the ids of silences.
_SILENCE_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class _Row(NamedTuple):
    """A silence with the name of its Alertmanager in the settings."""

    server: str
    silence: "GettableSilence"


@click.group()
def silences() -> None:
    """List, create and expire silences of incidents in Alertmanager; `serve` carries them out."""


@silences.command("list", short_help="List the silences in force.")
@click.option("--all", "everything", is_flag=True, help="Also those that were not created by responder.")
@AUTO_OUTPUT
def list_them(*, everything: bool, output: str) -> None:
    """List silences that are active or pending: id, incident, end, person, matchers and comment.

    Exit status: 0, or 1 if an Alertmanager did not answer.
    """
    with named_failures():
        settings = bootstrap.settings_from_environment()
        with _client(settings, bootstrap.SystemClock()) as client:
            found, problems = _listed(client)
        found = [each for each in found if everything or incident_of(each.silence.comment)]
        columns = (
            *(Column("SILENCE"), Column("INCIDENT"), Column("UNTIL"), Column("BY"), Column("MATCHERS")),
            Column("COMMENT"),
        )
        print_rows(found, output, columns, _cells, _fields)
        click.echo(number_of(len(found), "silence"), err=True)
        if problems:
            raise FatalError("; ".join(problems))


@silences.command("create", short_help="Silence an incident.")
@click.argument("incident")
@click.option("--duration", metavar="DURATION", help="How long, for example 2h30m. [default: 1h]")
@click.option("--until", metavar="TIME", help="End instead, as 2026-03-02T09:00 (UTC) or with an offset.")
@click.option("--comment", metavar="TEXT", default="", help="Reason; the incident's title and id are added.")
@click.option("--confirm", metavar="N", type=click.IntRange(min=0), default=0, help="Silence N alerts of others, too.")
@AS
@WAIT
def create(
    incident: str,
    *,
    duration: str | None,
    until: str | None,
    comment: str,
    confirm: int,
    person: str | None,
    wait: float,
) -> None:
    """Silence an incident: the matchers are the labels of its Alertmanager groups. A second silence extends the first.

    If the matchers match alerts that are not of the incident, nothing is silenced without their number in --confirm.

    Exit status: 0 if it is silenced or the action is stored, 1 if it is NOT silenced.
    """
    clock, actor = bootstrap.SystemClock(), actor_of(person)
    end = _end(duration, until, clock.now())
    with named_failures():
        settings = bootstrap.settings_from_environment()
        with bootstrap.database(settings) as database:
            with _client(settings, clock) as client:
                found, reach = _previewed(database, incident, client)
            if reach.others > confirm:
                raise FatalError(f"NOT silenced; add --confirm {reach.others} to silence alerts of others, too")
            given = {"text": comment, "until": end, "target": str(confirm)}
            wanted = action(ActionKind.SILENCE, found.id, actor, clock.now(), **given)
            good = carried_out(database, clock, [wanted], wait)
    sys.exit(0 if good else FAILED)


@silences.command("expire", short_help="Expire the silences of incidents.")
@click.argument("wanted", metavar="INCIDENT|SILENCE...", nargs=-1, required=True)
@AS
@WAIT
def expire(wanted: tuple[str, ...], person: str | None, wait: float) -> None:
    """Expire all silences that responder created for incidents, which may be given by the id of one of their silences.

    Exit status: 0 if none is left or the action is stored, 1 otherwise.
    """
    clock, actor = bootstrap.SystemClock(), actor_of(person)
    with named_failures():
        settings = bootstrap.settings_from_environment()
        with _client(settings, clock) as client:
            names = dict.fromkeys(_incident_named(each, client) for each in wanted)
        with bootstrap.database(settings) as database:
            with database.read() as connection:
                known = [find(connection, each).id for each in names]
            todo = [action(ActionKind.UNSILENCE, each, actor, clock.now()) for each in known]
            good = carried_out(database, clock, todo, wait)
    sys.exit(0 if good else FAILED)


@contextlib.contextmanager
def _client(settings: Settings, clock: Clock) -> "Iterator[Silences]":
    client = bootstrap.silences(settings, clock)
    with contextlib.closing(client.outgoing):
        yield client


def _end(duration: str | None, until: str | None, now: datetime) -> datetime:
    """Return the end of a silence. Raises UsageError."""
    from responder.converse.silencing import end_of, time_problem

    if duration and until:
        raise click.UsageError("give --duration or --until, not both")
    try:
        end = datetime.fromisoformat(until) if until else end_of(duration or "1h", now)
    except ValueError as error:
        raise click.UsageError(f"{'--until' if until else '--duration'}: {error}") from None
    end = end if end.tzinfo else end.replace(tzinfo=UTC)
    if problem := time_problem(end, now):
        raise click.UsageError(problem)
    return end


def _previewed(database: "Database", incident: str, client: "Silences") -> "tuple[Incident, SilenceReach]":
    """Print the matchers and the number of alerts that they match now. Raises FatalError."""
    from responder.converse.silencing import CannotSilenceError, groups_of
    from responder.outgoing.alertmanager_api import matcher_text
    from responder.store.incidents import incidents as stored

    with database.read() as connection:
        found = find(connection, incident)
        content = stored.content_of(connection, found.id)
    if not found.open:
        raise FatalError(f"NOT silenced: {found.id} is resolved")
    try:
        groups = groups_of(found, content)
    except CannotSilenceError as error:
        raise FatalError(f"NOT silenced: {error}") from error
    reach = _answered(lambda: client.reach(found.cluster, groups, found.alerts), "NOT silenced: ")
    for each in groups:
        click.echo(one_line(matcher_text(each)), err=True)
    others = f", {reach.others} of them not of {found.id}" if reach.others else ""
    click.echo(f"matches {number_of(reach.total, 'alert')} now{others}", err=True)
    return found, reach


def _answered(call: Callable[[], Any], before: str = "") -> Any:
    from responder.outgoing.silences import AlertmanagerDownError, AlertmanagerRefusalError

    try:
        return call()
    except (AlertmanagerDownError, AlertmanagerRefusalError) as error:
        raise FatalError(f"{before}{error}") from error


def _listed(client: "Silences") -> tuple[list[_Row], list[str]]:
    """Return the silences of all Alertmanagers, those that end first first, and the problems of those that failed."""
    found, problems = [], []
    if not client.servers:
        raise FatalError("RESPONDER_ALERTMANAGER_URL is not set")
    for name in client.servers:
        try:
            found += [_Row(name, each) for each in _answered(lambda name=name: client.listed(name))]  # type: ignore[misc]
        except FatalError as error:
            problems.append(str(error))
    return sorted(found, key=lambda each: each.silence.ends_at), problems


def _incident_named(wanted: str, client: "Silences") -> str:
    """Return the incident of a silence that is given by its id; anything else is an incident's id itself."""
    if not _SILENCE_ID.fullmatch(wanted):
        return incident_id(wanted)
    found, problems = _listed(client)
    silence = next((each.silence for each in found if each.silence.id == wanted), None)
    if silence is None:
        raise FatalError("; ".join((f"no silence {wanted} is in force", *problems)))
    incident = incident_of(silence.comment)
    if not incident:
        raise FatalError(f"silence {wanted} was not created by responder; run: amtool silence expire {wanted}")
    return incident


def _cells(row: _Row) -> tuple[str, ...]:
    found = row.silence
    incident, matchers = incident_of(found.comment) or "-", ", ".join(map(_matcher, _fields(row)["matchers"]))
    return found.id, incident, format_time(found.ends_at), found.created_by, f"{{{matchers}}}", found.comment


def _matcher(given: dict[str, Any]) -> str:
    sign = ("=~" if given["isEqual"] else "!~") if given["isRegex"] else ("=" if given["isEqual"] else "!=")
    return f'{given["name"]}{sign}"{given["value"]}"'


def _fields(row: _Row) -> dict[str, Any]:
    """Element of ``list --output json``. Scripts rely on its keys: add, never rename."""
    found = row.silence
    return {
        "id": found.id,
        "incident": incident_of(found.comment),
        "cluster": row.server,
        "state": found.status.state,
        "created_by": found.created_by,
        "starts_at": found.starts_at,
        "ends_at": found.ends_at,
        "matchers": [
            {"name": each.name, "value": each.value, "isRegex": each.is_regex, "isEqual": each.is_equal}
            for each in found.matchers
        ],
        "comment": found.comment,
    }
