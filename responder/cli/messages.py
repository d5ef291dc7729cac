"""``responder messages``: list sent, waiting and dead messages, and resend dead ones."""

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from responder import bootstrap
from responder.cli.errors import FAILED, FatalError, named_failures
from responder.cli.options import LIMIT, OUTPUT
from responder.cli.table import Column, format_time, print_rows
from responder.cli.table import printable_bytes as printable
from responder.model.problem import InvalidRules
from responder.model.text import number_of

if TYPE_CHECKING:
    from responder.model.message import Request
    from responder.store.outbox.dead_letters import MessageRow

#: Message states (from ``responder.store.outbox.dead_letters``) and their terminal colours.
COLOURS = {"waiting": "yellow", "sent": "green", "dead": "red", "merged": "white", "withdrawn": "white"}
_LIST = "run: responder messages list"


@click.group()
def messages() -> None:
    """List, show and resend messages. Safe while `serve` runs."""


@messages.command("list", short_help="List the newest messages and their state.")
@click.option("--state", type=click.Choice(list(COLOURS)), help="Filter by state.")
@click.option("--channel", metavar="NAME", help="Filter by channel.")
@LIMIT
@OUTPUT
def list_them(state: str | None, channel: str | None, limit: int, output: str) -> None:
    """List messages: number, state, channel, incident, attempts, and the title or the last error."""
    from responder.store.outbox import dead_letters

    with named_failures():
        settings = bootstrap.settings_from_environment()
        with bootstrap.database(settings) as database, database.read() as connection:
            rows = dead_letters.newest(connection, limit, state, channel)
    columns = (
        *(Column("ID", right=True), Column("STATE", colours=COLOURS), Column("WRITTEN"), Column("CHANNEL AND STEP")),
        *(Column("INCIDENT"), Column("TRIES", right=True), Column("TITLE OR ERROR")),
    )
    print_rows(rows, output, columns, _cells, _fields)
    narrowed = (f" in state {state}" if state else "") + (f" on channel {channel}" if channel else "")
    click.echo(f"{number_of(len(rows), 'message')}{narrowed}", err=True)


def _cells(row: "MessageRow") -> tuple[str, ...]:
    where = f"{row.channel} {row.step}"
    return str(row.id), row.state, format_time(row.written_at), where, row.incident, str(row.attempt), _last(row)


@messages.command("show", short_help="Show a message and its request.")
@click.argument("number", type=int)
@click.option("--raw", is_flag=True, help="Print only the body of the request, with secrets masked.")
def show(number: int, *, raw: bool) -> None:
    """Show a message: its state and reason, and the request as it is sent, with secrets masked."""
    from responder.notify.report.compose import as_sent
    from responder.store.outbox import claims, dead_letters

    with named_failures():
        settings = bootstrap.settings_from_environment()
        channels = bootstrap.shown_channels(settings)
        with contextlib.suppress(InvalidRules):  # a message of a channel of the settings needs no rules
            book = bootstrap.load_rules(settings.rules, settings.runbooks)
            channels = bootstrap.shown_channels(settings, book)
        with bootstrap.database(settings) as database, database.read() as connection:
            row, waiting = dead_letters.find(connection, number), claims.peek(connection, number)
        if row is None or waiting is None:
            raise FatalError(f"no message {number}; {_LIST}")
        message = as_sent(waiting, row.report, bootstrap.SystemClock().now())
        request = channels[row.channel].render(message) if row.channel in channels else None
        if raw and request is None:
            raise FatalError(f"channel {row.channel} is not configured: its request cannot be built")
    if raw and request is not None:
        sys.stdout.buffer.write(printable(request.body, to_terminal=sys.stdout.isatty()))
        return
    for name, text in _rows(row):
        click.echo(f"{name:<12}{text}")
    for line in _request(request, row.channel):
        click.echo(line)


@messages.command("resend", short_help="Resend dead messages.")
@click.argument("numbers", type=int, nargs=-1)
@click.option("--all-dead", is_flag=True, help="Resend every dead message.")
@click.option("--even-if-resolved", is_flag=True, help="Resend even if the channel already resolved the incident.")
@click.option("--even-if-over", is_flag=True, hidden=True)
def resend(numbers: tuple[int, ...], *, all_dead: bool, even_if_resolved: bool, even_if_over: bool) -> None:
    """Put dead messages back into the outbox, at their old position. `serve` sends them within a second.

    Exit status: 0 if all were put back, 1 if one was not.
    """
    from responder.store.outbox import dead_letters

    if bool(numbers) == all_dead:
        raise click.UsageError("give the NUMBERS of messages, or --all-dead")
    now = bootstrap.SystemClock().now()
    with named_failures():
        settings = bootstrap.settings_from_environment()
        with bootstrap.database(settings) as database, database.transaction() as connection:
            chosen = dead_letters.dead_ids(connection) if all_dead else numbers
            answers = dead_letters.resend(connection, chosen, now, even_if_resolved=even_if_resolved or even_if_over)
    for answer in answers:
        said = f"not resent: {answer.refused}" if answer.refused else "waiting, due now"
        click.echo(f"message {answer.number}: {said}", err=bool(answer.refused))
    if any(answer.refused == dead_letters.UNKNOWN for answer in answers):
        click.echo(_LIST, err=True)
    refused = [answer for answer in answers if answer.refused]
    click.echo(f"{len(answers) - len(refused)} of {len(answers)} messages will be resent", err=True)
    sys.exit(FAILED if refused else 0)


def _fields(row: "MessageRow") -> dict[str, Any]:
    """Element of ``list --output json``. Scripts rely on its keys: add, never rename."""
    same = (
        *("id", "state", "channel", "channel_kind", "step", "incident", "severity", "title", "error"),
        *("written_at", "due_at", "ended_at", "merged_into"),
    )
    own = {"moment": row.kind, "attempts": row.attempt, "stands_in_for": row.replaces}
    return {name: getattr(row, name) for name in same} | own


def _last(row: "MessageRow") -> str:
    if row.merged_into:
        return f"merged into message {row.merged_into}"
    return row.error or row.title


def _rows(row: "MessageRow") -> Iterator[tuple[str, str]]:
    yield "Message", f"{row.id}, {row.state}"
    kind = f" ({row.channel_kind})" if row.channel_kind not in {"", row.channel} else ""
    yield "Channel", f"{row.channel}{kind}, step {row.step} ({row.kind})"
    yield "Incident", f"{row.incident}  {row.title}"
    yield "Written", format_time(row.written_at)
    if row.ended_at:
        yield "Ended", format_time(row.ended_at)
    else:
        yield "Due", format_time(row.due_at)
    yield "Attempts", f"{row.attempt}{', last in minimal form' if row.minimal else ''}"
    if row.error:
        yield "Withdrawn" if row.state == "withdrawn" else "Last error", row.error
    if row.merged_into:
        yield "Merged into", f"message {row.merged_into}, a newer update of the same incident"
    if row.replaces:
        yield "Fallback", f"for message {row.replaces}: {row.fallback_reason}"
    if row.state == "dead":
        yield "To do", f"fix the cause, then run: responder messages resend {row.id}"


def _request(request: "Request | None", channel: str) -> Iterator[str]:
    """Format the request: JSON indented, an email as text."""
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
