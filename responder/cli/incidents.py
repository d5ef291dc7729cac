"""``responder incidents``: list and show incidents; acknowledge, resolve and annotate them."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from responder import bootstrap
from responder.cli.acting import AS, WAIT, action, actor_of, carried_out, find, incident_id, unknown
from responder.cli.adopt import adopt
from responder.cli.durations import SPAN
from responder.cli.errors import FAILED, FatalError, named_failures
from responder.cli.options import AUTO_OUTPUT, LIMIT
from responder.cli.table import Column, format_time, print_json, print_rows, table, terminal, wrapped
from responder.model.action import ActionKind
from responder.model.report import OPEN_STATUSES
from responder.model.text import number_of, one_line, sanitize
from responder.model.transcript import OUTPUT_LIMIT

if TYPE_CHECKING:
    from responder.store.database import Database
    from responder.store.incidents.records import IncidentRecords, ListedIncident


#: Seconds between two looks at the database with ``--watch``.
WATCH_SECONDS = 2.0
_COLOURS = {"open": "red", "acknowledged": "yellow", "resolved": "green"}
WATCH = click.option("--watch", is_flag=True, help="Refresh every 2 seconds until Ctrl-C.")


@click.group()
def incidents() -> None:
    """List, show, acknowledge, resolve and annotate incidents. Safe while `serve` runs."""


incidents.add_command(adopt)


@incidents.command("list", short_help="List the newest incidents and their state.")
@click.option("--state", type=click.Choice(["open", "resolved", "all"]), default="open", show_default=True)
@click.option("--severity", metavar="P1", default="", help="Filter by severity.")
@click.option("--service", metavar="NAME", default="", help="Filter by service.")
@click.option("--team", metavar="NAME", default="", help="Filter by team.")
@click.option("--since", metavar="DURATION", type=SPAN, help="Opened within this time, for example 12h.")
@click.option("--text", metavar="TEXT", default="", help="Filter by a part of the id or title.")
@LIMIT
@AUTO_OUTPUT
@WATCH
def list_them(
    *,
    state: str,
    severity: str,
    service: str,
    team: str,
    since: timedelta | None,
    text: str,
    limit: int,
    output: str,
    watch: bool,
) -> None:
    """List incidents: id, severity, state, start, service, teams and title."""
    from responder.store.incidents import records

    def look(database: "Database") -> None:
        opened_after = bootstrap.SystemClock().now() - since if since else None
        wanted = records.Filter(
            is_open={"open": True, "resolved": False}.get(state),
            severity=severity,
            service=service,
            team=team,
            text=text,
            since=opened_after,
        )
        with database.read() as connection:
            found = records.listed(connection, wanted, limit)
        columns = (
            *(Column("ID"), Column("SEVERITY"), Column("STATE", colours=_COLOURS), Column("OPENED")),
            *(Column("SERVICE"), Column("TEAMS"), Column("TITLE")),
        )
        print_rows(found, output, columns, _cells, _fields)
        click.echo(number_of(len(found), "incident"), err=True)

    looking(look, watch=watch)


@incidents.command("show", short_help="Show the timeline of an incident.")
@click.argument("incident")
@click.option("--transcripts", is_flag=True, help="Also print the commands and outputs of recorded runbook steps.")
@AUTO_OUTPUT
@WATCH
def show(incident: str, *, transcripts: bool, output: str, watch: bool) -> None:
    """Show an incident: its state, and a line for each event with its time."""
    from responder.store.incidents import records

    def look(database: "Database") -> None:
        with database.read() as connection:
            found = records.of_incident(connection, incident_id(incident))
        if found is None:
            raise unknown(incident)
        _show(found, output, transcripts=transcripts)

    looking(look, watch=watch)


@incidents.command("ack", short_help="Acknowledge incidents.")
@click.argument("numbers", metavar="INCIDENT...", nargs=-1, required=True)
@click.option("--snooze", type=SPAN, metavar="DURATION", help="No reminder for so long, for example 2h.")
@AS
@WAIT
def ack(numbers: tuple[str, ...], snooze: timedelta | None, person: str | None, wait: float) -> None:
    """Acknowledge incidents on every notified channel.

    Exit status: 0 if all are acknowledged or the action is stored, 1 if one was refused.
    """
    _act(numbers, ActionKind.SNOOZE if snooze else ActionKind.ACKNOWLEDGE, person, wait, span=snooze)


@incidents.command("resolve", short_help="Resolve incidents.")
@click.argument("numbers", metavar="INCIDENT...", nargs=-1, required=True)
@click.option("--reason", metavar="TEXT", default="", help="What fixed it; the resolution of the incident.")
@AS
@WAIT
def resolve(numbers: tuple[str, ...], reason: str, person: str | None, wait: float) -> None:
    """Resolve incidents on every notified channel. If alerts still fire, the next notification reopens them.

    Exit status: 0 if all are resolved or the action is stored, 1 if one was refused.
    """
    _act(numbers, ActionKind.RESOLVE, person, wait, reason)


@incidents.command("note", short_help="Add a note to an incident.")
@click.argument("number", metavar="INCIDENT")
@click.argument("text")
@AS
@WAIT
def note(number: str, text: str, person: str | None, wait: float) -> None:
    """Add a note to an incident; every notified channel shows it."""
    _act((number,), ActionKind.NOTE, person, wait, text)


@incidents.command("publish", short_help="Publish an incident on its status pages.")
@click.argument("number", metavar="INCIDENT")
@click.option("--text", metavar="TEXT", default="", help="Text for customers. [default: the template's, or the impact]")
@click.option(
    "--status",
    type=click.Choice([each.lower() for each in OPEN_STATUSES]),
    help="Status on the page. [default: investigating; for an update what the conclusion proposes]",
)
@click.option("--yes", is_flag=True, help="Publish without asking.")
@AS
@WAIT
def publish(number: str, text: str, status: str | None, person: str | None, wait: float, *, yes: bool) -> None:
    """Show what customers would read, ask, and publish it. The next time, --text is published as an update.

    The resolution on the status page follows that of the incident. Exit status: 0 if it is published or the action is
    stored, 1 if it was refused or not confirmed.
    """
    from responder.notify.report.compose import proposed
    from responder.store.incidents import incidents as stored

    with named_failures(), bootstrap.database(bootstrap.settings_from_environment()) as database:
        with database.read() as connection:
            incident = find(connection, number)
            content = stored.content_of(connection, incident.id)
        if content is None:
            raise unknown(number)
        pages = content.decision.publishable
        if not pages:
            raise FatalError(
                f"{incident.id} has no status page: its severity needs status_pages, and its service components"
            )
        updates, now, target = set(pages) <= set(incident.channels), bootstrap.SystemClock().now(), ""
        for page in pages:
            given = (status or "").capitalize()
            shown = proposed(content, page, incident.id, now, updates=updates, status=given)
            target = shown.status.value
            verb = "update" if page in incident.channels else "open"
            click.echo(f"{page}: {verb} as {target.lower()}: {one_line(shown.title)}", err=True)
            click.echo(f"  text: {one_line(text or shown.text)}", err=True)
            click.echo(f"  components: {', '.join(shown.components) or '-'}", err=True)
    if not yes:
        click.confirm("Publish?", abort=True, err=True)
    _act((number,), ActionKind.PUBLISH, person, wait, text, target)


@incidents.command("rejudge", short_help="Decide an incident again by the current rules.")
@click.argument("number", metavar="INCIDENT")
@click.option("--dry-run", is_flag=True, help="Show what it would do; store nothing.")
@click.pass_context
def rejudge(context: click.Context, number: str, *, dry_run: bool) -> None:
    """Replay the newest notification of an incident, which `serve` decides by the rules in force.

    It shows the effects first, and is the same as `responder replay` with the number of that notification.
    """
    from responder.cli.replay import replay
    from responder.store.inbox import history

    with named_failures(), bootstrap.database(bootstrap.settings_from_environment()) as database:
        with database.read() as connection:
            incident = find(connection, number)
            newest = next(history.of_incident(connection, incident.id), None)
        if newest is None:
            raise FatalError(f"no notification of {incident.id} is stored any more")
    context.invoke(replay, number=newest.id, dry_run=dry_run, output="text")


@incidents.command("postmortem", short_help="Write the draft of a post-mortem in Markdown.")
@click.argument("incident")
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write into a new file. [default: standard output]",
)
@click.option("--force", is_flag=True, help="Overwrite the file.")
def postmortem(incident: str, output: Path | None, *, force: bool) -> None:
    """Write the draft of a post-mortem: what is recorded of the incident, and what a person must add (TODO)."""
    from responder.converse import postmortem as draft
    from responder.store.incidents import records

    with named_failures(), bootstrap.database(bootstrap.settings_from_environment()) as database:
        with database.read() as connection:
            found = records.of_incident(connection, incident_id(incident))
        if found is None:
            raise unknown(incident)
        text = draft.postmortem(found, bootstrap.SystemClock().now())
        if output is None:
            click.echo(text)
            return
        try:
            with output.open("w" if force else "x", encoding="utf-8") as sink:
                sink.write(f"{text}\n")
        except FileExistsError as error:
            raise FatalError(f"{output} exists: choose another file, or overwrite it with --force") from error
        except OSError as error:
            raise FatalError(f"cannot write {output}: {error.strerror}") from error
    click.echo(f"{output}: {text.count('**TODO**')} places to complete", err=True)


_wait = threading.Event().wait


def looking(look: "Callable[[Database], None]", *, watch: bool, wait: Callable[[float], object] = _wait) -> None:
    """Call ``look``, and with ``watch`` again after each WATCH_SECONDS until Ctrl-C, which is no failure."""
    with named_failures(), bootstrap.database(bootstrap.settings_from_environment()) as database:
        look(database)
        with contextlib.suppress(KeyboardInterrupt):
            while watch:
                wait(WATCH_SECONDS)
                click.clear()
                look(database)


def _act(
    numbers: tuple[str, ...],
    kind: ActionKind,
    person: str | None,
    wait: float,
    text: str = "",
    target: str = "",
    span: timedelta | None = None,
) -> None:
    """Store an action on each incident, then print the outcome of each. ``span`` is how long it lasts."""
    clock, actor = bootstrap.SystemClock(), actor_of(person)
    if kind is ActionKind.NOTE and not one_line(text):
        raise click.UsageError("the note is empty")
    with named_failures(), bootstrap.database(bootstrap.settings_from_environment()) as database:
        with database.read() as connection:
            known = dict.fromkeys(find(connection, each).id for each in numbers)
        now = clock.now()
        own = {"text": text, "target": target, "until": now + span if span else None}
        good = carried_out(database, clock, [action(kind, each, actor, now, **own) for each in known], wait)
    sys.exit(0 if good else FAILED)


def _cells(row: "ListedIncident") -> tuple[str, ...]:
    found = row.incident
    opened, teams = format_time(found.opened_at), ", ".join(row.teams) or "-"
    return (
        found.id,
        found.severity,
        row.state,
        opened,
        found.service or "-",
        teams,
        found.title,
    )


def _fields(row: "ListedIncident") -> dict[str, Any]:
    """Element of ``list --output json``. Scripts rely on its keys: add, never rename."""
    found = row.incident
    return {
        "id": found.id,
        "severity": found.severity,
        "state": row.state,
        "opened_at": found.opened_at,
        "resolved_at": found.resolved_at,
        "service": found.service,
        "teams": list(row.teams),
        "rule": found.rule,
        "title": found.title,
        "acknowledged_by": row.acknowledged_by,
    }


def _show(records: "IncidentRecords", output: str, *, transcripts: bool) -> None:
    from responder.converse.timeline import timeline
    from responder.store.incidents.records import state_of

    found, entries = records.incident, timeline(records)
    by = records.content.handling.acknowledged_by if records.content else ""
    if output == "json":
        events = [{"at": each.at, "kind": each.kind.value, "text": each.text} for each in entries]
        shown: dict[str, Any] = {
            "id": found.id,
            "title": found.title,
            "severity": found.severity,
            "state": state_of(found, by),
        }
        shown |= {"acknowledged_by": by, "timeline": events}
        if transcripts:
            shown["transcripts"] = list(map(asdict, records.steps))
        print_json(shown)
        return
    state = f"resolved at {format_time(found.resolved_at)}" if not found.open else "open"
    rows = [
        ("Incident", f"{found.id} {found.title}"),
        ("State", state),
        ("Severity", f"{found.severity}: {found.reason}"),
    ]
    if found.open and by:
        rows.append(("Acknowledged", f"by {by}"))
    for name, text in rows:
        click.echo(f"{name:<14}{wrapped(one_line(text), 14, terminal())}")
    click.echo("")
    columns = Column("TIME"), Column("EVENT"), Column("DETAILS")
    cells = ((format_time(each.at), each.kind.value, each.text) for each in entries)
    for line in table(columns, cells, terminal()):
        click.echo(line)
    for line in _pictures(records):
        click.echo(line)
    for each in records.steps if transcripts else ():
        click.echo(f"\n{format_time(each.at)} {each.runbook}: {one_line(each.step)}")
        if each.command:
            click.echo(f"  $ {one_line(each.command)}")
        for line in sanitize(each.output, OUTPUT_LIMIT).splitlines():
            click.echo(f"  {line}")
        click.echo(f"  {one_line(each.said)}")


def _pictures(records: "IncidentRecords") -> Iterator[str]:
    """Yield the range behind each finding that has one, as a line of blocks with its extremes."""
    from responder.notify.render.chart import caption, chart_of, spark

    for each in records.content.findings if records.content else ():
        if found := chart_of(each):
            yield f"\n{one_line(each.headline)}\n  {spark(found)}  {caption(found)}"
