"""``responder messages``: what people were told, what waits, what was given up, and a way back for that."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from responder import bootstrap
from responder.cli.errors import FAILED, FatalError, named_failures
from responder.cli.options import LIMIT, OUTPUT
from responder.cli.table import Column, moment, print_rows
from responder.cli.table import raw as printable
from responder.model.text import number_of

if TYPE_CHECKING:
    from responder.model.message import Request
    from responder.store.outbox.dead_letters import MessageRow

COLOURS = {"waiting": "yellow", "sent": "green", "dead": "red", "merged": "white", "withdrawn": "white"}
"""The states of messages, which are those of ``responder.store.outbox.dead_letters``, with how they are shown."""
_LIST = "`responder messages list` shows them"


@click.group()
def messages() -> None:
    """List, show and resend the messages to people. All of it may be done while `serve` runs."""


@messages.command("list", short_help="List the newest, with what became of each.")
@click.option("--state", type=click.Choice(list(COLOURS)), help="Only those in this state.")
@click.option("--channel", metavar="NAME", help="Only those of this channel.")
@LIMIT
@OUTPUT
def list_them(state: str | None, channel: str | None, limit: int, output: str) -> None:
    """Show number, state, channel, incident, attempts and what it said or why it failed."""
    from responder.store.outbox import dead_letters

    with named_failures():
        settings = bootstrap.settings_from_environment()
        with bootstrap.database(settings) as database, database.read() as connection:
            rows = dead_letters.newest(connection, limit, state, channel)
    columns = (
        *(Column("ID", right=True), Column("STATE", colours=COLOURS), Column("WRITTEN"), Column("CHANNEL AND STEP")),
        *(Column("INCIDENT"), Column("TRIES", right=True), Column("WHAT, OR WHY NOT")),
    )
    print_rows(rows, output, columns, _cells, _fields)
    narrowed = (f" in state {state}" if state else "") + (f" of channel {channel}" if channel else "")
    click.echo(f"{number_of(len(rows), 'message')}{narrowed}", err=True)


def _cells(row: MessageRow) -> tuple[str, ...]:
    where = f"{row.channel} {row.step}"
    return str(row.id), row.state, moment(row.written_at), where, row.incident, str(row.attempt), _last(row)


@messages.command("show", short_help="Show one, and the request as it is sent.")
@click.argument("number", type=int)
@click.option("--raw", is_flag=True, help="The request's body alone, byte for byte but for the secrets.")
def show(number: int, *, raw: bool) -> None:
    """Show one message: what became of it and why, and the request as it is sent, secrets masked."""
    from responder.notify.report.compose import as_sent
    from responder.store.outbox import claims, dead_letters

    with named_failures():
        settings = bootstrap.settings_from_environment()
        channels = bootstrap.shown_channels(settings)
        with bootstrap.database(settings) as database, database.read() as connection:
            row, waiting = dead_letters.find(connection, number), claims.peek(connection, number)
        if row is None or waiting is None:
            raise FatalError(f"there is no message {number}; {_LIST}")
        letter = as_sent(waiting, row.report, bootstrap.SystemClock().now())
        request = channels[row.channel].render(letter) if row.channel in channels else None
        if raw and request is None:
            raise FatalError(f"channel {row.channel} is not configured: its request cannot be built")
    if raw and request is not None:
        sys.stdout.buffer.write(printable(request.body, to_terminal=sys.stdout.isatty()))
        return
    for name, text in _story(row):
        click.echo(f"{name:<12}{text}")
    for line in _request(request, row.channel):
        click.echo(line)


@messages.command("resend", short_help="Send again what was given up.")
@click.argument("numbers", type=int, nargs=-1)
@click.option("--all-dead", is_flag=True, help="Every message that was given up.")
@click.option("--even-if-over", is_flag=True, help="Also where the channel has heard since that the incident is over.")
def resend(numbers: tuple[int, ...], *, all_dead: bool, even_if_over: bool) -> None:
    """Send messages again that were given up, in their old place of the order. `serve` does it within a second.

    Exit status: 0 when all were put back, 1 when one was not.
    """
    from responder.engine.workers.resend import UNKNOWN
    from responder.engine.workers.resend import resend as put_back
    from responder.store.outbox import dead_letters

    if bool(numbers) == all_dead:
        raise click.UsageError("give the NUMBERS of messages, or --all-dead")
    now = bootstrap.SystemClock().now()
    with named_failures():
        settings = bootstrap.settings_from_environment()
        with bootstrap.database(settings) as database, database.work() as connection:
            chosen = dead_letters.dead(connection) if all_dead else numbers
            answers = put_back(connection, chosen, now, even_if_over=even_if_over)
    for answer in answers:
        said = f"not sent again: {answer.refused}" if answer.refused else "waits again, due now"
        click.echo(f"message {answer.number}: {said}", err=bool(answer.refused))
    if any(answer.refused == UNKNOWN for answer in answers):
        click.echo(_LIST, err=True)
    refused = [answer for answer in answers if answer.refused]
    click.echo(f"{len(answers) - len(refused)} of {len(answers)} messages are sent again", err=True)
    sys.exit(FAILED if refused else 0)


def _fields(row: MessageRow) -> dict[str, Any]:
    """An element of ``list --output json``. Its keys are relied upon by others: add, never rename."""
    return {
        "id": row.id,
        "state": row.state,
        "channel": row.channel,
        "step": row.step,
        "moment": row.moment,
        "incident": row.incident,
        "severity": row.severity,
        "title": row.title,
        "attempts": row.attempt,
        "error": row.error,
        "written_at": row.written_at.isoformat(),
        "due_at": row.due_at.isoformat(),
        "ended_at": row.ended_at.isoformat() if row.ended_at else None,
        "merged_into": row.merged_into,
        "stands_in_for": row.origin,
    }


def _last(row: MessageRow) -> str:
    if row.merged_into:
        return f"message {row.merged_into} took its place"
    return row.error or row.title


def _story(row: MessageRow) -> Iterator[tuple[str, str]]:
    yield "Message", f"{row.id}, {row.state}"
    yield "Channel", f"{row.channel}, step {row.step} ({row.moment})"
    yield "Incident", f"{row.incident}  {row.title}"
    yield "Written", moment(row.written_at)
    if row.ended_at:
        yield "Ended", moment(row.ended_at)
    else:
        yield "Due", moment(row.due_at)
    yield "Attempts", f"{row.attempt}{', the last in the minimal form' if row.plain else ''}"
    if row.error:
        yield "Taken back" if row.state == "withdrawn" else "Last error", row.error
    if row.merged_into:
        yield "Merged into", f"message {row.merged_into}, a newer update of the same incident"
    if row.origin:
        yield "Stands in", f"for message {row.origin}, because {row.fallback_reason}"
    if row.state == "dead":
        yield "To do", f"mend the cause, then: responder messages resend {row.id}"


def _request(request: Request | None, channel: str) -> Iterator[str]:
    """The request as people read it: JSON indented, a mail as its text."""
    yield ""
    if request is None:
        yield f"channel {channel} is not configured: its request cannot be shown"
        return
    yield f"{request.method} {request.url}" if request.url.startswith("http") else f"({channel})"
    yield from (f"{name}: {value}" for name, value in _masked(request.headers).items())
    yield ""
    text = request.body.decode("utf-8", "replace")
    if text.startswith("{"):
        yield json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    elif request.url == "smtp:":
        from email import message_from_bytes
        from email.policy import default

        mail = message_from_bytes(request.body, policy=default)
        yield from (f"{name}: {value}" for name, value in mail.items())
        yield f"\n{mail.get_content()}"
    else:
        yield text


def _masked(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: "***" if name.lower() == "authorization" else value for name, value in headers.items()}
