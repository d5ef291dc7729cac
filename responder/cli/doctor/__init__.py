"""``responder doctor``: check everything a page needs, and print what to fix."""

import sys
import threading
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from responder.cli.errors import FAILED
from responder.cli.options import CONFIG, OUTPUT, TIMEOUT
from responder.cli.table import Column, print_json, table, terminal

if TYPE_CHECKING:
    from responder.cli.doctor.context import Check
    from responder.model.check import Result

#: Seconds between a test page and its resolve: a person sees it, and a phone rings.
HOLD_SECONDS: Final = 5.0
_COLOURS = {"ok": "green", "warn": "yellow", "bad": "red", "skipped": "white"}


@click.command()
@click.option(
    "--timeout", metavar="SECONDS", type=TIMEOUT, default=10.0, show_default=True, help="Total for all checks."
)
@click.option("--send", is_flag=True, help="Send a test page to each channel, and resolve it after 5 s.")
@CONFIG
@OUTPUT
def doctor(*, timeout: float, send: bool, output: str) -> None:
    """Check settings, rules, database, clock, channels, Prometheus, Alertmanager and probe targets.

    Sends and changes nothing without --send.

    Exit status: 0 if no check is bad (warnings are allowed), 1 if one is, 2 for a wrong command line.
    """
    results = _examine(timeout, send=send)
    if output == "json":
        print_json(list(map(asdict, results)))
    else:
        _table(results)
    if any(each.level.value == "bad" for each in results):
        sys.exit(FAILED)


def checks() -> "dict[str, Check]":
    """Return the checks by name, in the order of output. To add one: a function, a line here, a test."""
    from responder.cli.doctor import channels, cluster, monitoring, notifications, own, pagerduty

    return {
        "settings": own.settings,
        "rules": own.rules,
        "database": own.database,
        notifications.SEVERITIES: notifications.severities,
        notifications.GRAPHS: notifications.graphs,
        "clock": channels.clocks,
        "proxy": channels.proxy,
        **channels.checks(),
        pagerduty.ABOUT: pagerduty.api,
        "channels": channels.named,
        "acting_groups": channels.acting_groups,
        "fallback": channels.fallbacks,
        "send": channels.test_messages,
        "prometheus": monitoring.prometheus,
        "alertmanager": monitoring.alertmanager,
        "kubernetes": cluster.access,
        "targets": monitoring.targets,
    }


def _examine(timeout: float, *, send: bool) -> "tuple[Result, ...]":
    from responder import bootstrap, telemetry
    from responder.cli.doctor.context import DoctorContext, run
    from responder.model.check import bad
    from responder.model.clock import Deadline
    from responder.model.secret import Secret, scrub
    from responder.outgoing.smtp import Mailer
    from responder.settings import InvalidSettings

    try:
        settings = bootstrap.settings_from_environment()
    except InvalidSettings as error:
        change = "see `responder serve --settings`; other checks are skipped until the settings are valid"
        return tuple(bad("settings", problem, change) for problem in error.problems)
    telemetry.configure(settings.log_format, settings.secrets(), for_good=False)
    clock = bootstrap.SystemClock()
    outgoing = bootstrap.vendors(settings, clock)
    context = DoctorContext(
        settings=settings,
        environment=bootstrap.environment(),
        book=bootstrap.examine_rules(settings.rules, settings.runbooks).book(),
        outgoing=outgoing,
        mailer=Mailer(outgoing, clock),
        clock=clock,
        deadline=Deadline(clock.monotonic() + timeout + (HOLD_SECONDS if send else 0)),
        send=send,
        hold=lambda: threading.Event().wait(HOLD_SECONDS),
    )
    secrets: tuple[Secret, ...] = settings.secrets()
    if context.book is not None:
        named, _problems = bootstrap.find_named_channels(settings, context.book)
        secrets = (*secrets, *(each for channel in named.values() for each in channel.secrets))
    try:
        found = run(checks(), context)
    finally:
        outgoing.close()
    return tuple(
        type(each)(each.about, each.level, scrub(each.what, secrets), scrub(each.change, secrets)) for each in found
    )


def _table(results: "tuple[Result, ...]") -> None:
    rows: list[tuple[str, str, str]] = []
    columns = Column("ABOUT"), Column("STATUS", colours=_COLOURS), Column("FINDING")
    for each in results:
        rows.append((each.about, each.level.value, each.what))
        if each.change:
            rows.append(("", "", f"-> {each.change}"))
    for line in table(columns, rows, terminal()):
        click.echo(line)
    counts = {name: sum(each.level.value == name for each in results) for name in _COLOURS}
    click.echo(", ".join(f"{count} {name}" for name, count in counts.items() if count), err=True)
