"""The only place that builds things and joins them: time, environment, randomness and paths come in here.

This is what commands need; ``workers.py`` builds the workers of ``responder serve``.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from responder.model.clock import Clock
from responder.model.patience import Patience
from responder.model.rule import RuleBook
from responder.model.secret import Secret
from responder.settings import Settings, addresses, read

if TYPE_CHECKING:
    from responder.diagnose.contract import Tools
    from responder.diagnose.run import Prober
    from responder.engine.desk import Desk
    from responder.engine.reload import Loaded
    from responder.engine.retention import Retention
    from responder.notify.contract import Channel
    from responder.notify.deliver import Deliverer
    from responder.outgoing import Outgoing
    from responder.outgoing.mail import Mailer
    from responder.rulebook.apart import Reading
    from responder.rulebook.draft import Surroundings
    from responder.rulebook.examine import Examined
    from responder.rulebook.watch import Looks
    from responder.store.database import Database
    from responder.store.inbox import Inbox

MIGRATE_SECONDS = 60.0
"""How long a start waits for another process that migrates the database."""

LOOK_SECONDS = 60.0
"""How long a command may take to look at what a database holds, and waits for others that write."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        """The wall clock, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


def settings_from_environment() -> Settings:
    """The settings of this process. Raises BadSettings."""
    return read(os.environ)


def environment() -> Mapping[str, str]:
    """The process's environment."""
    return os.environ


def load_rules(folder: str, runbooks: str) -> RuleBook:
    """The checked rule book of a folder. Raises BadRules with every problem at once."""
    from responder.rulebook.load import load
    from responder.rulebook.reader import no_collection

    around = surroundings(runbooks)
    with no_collection():
        return load(
            Path(folder),
            probe_kinds=around.probe_kinds,
            runbooks=around.runbooks,
            channels=around.channels,
            parse=around.parse,
        )


def examine_rules(folder: str, runbooks: str) -> Examined:
    """All that can be said about the rule files of a folder today."""
    from responder.rulebook.examine import examine

    return examine(Path(folder), surroundings(runbooks), SystemClock().now().date())


def surroundings(runbooks: str) -> Surroundings:
    """What rule files may refer to: the probes and channels we have, the runbooks of a folder."""
    from responder.diagnose.probes import PROBES
    from responder.notify.channels import CHANNELS
    from responder.notify.route import RESERVES
    from responder.rulebook.draft import Surroundings
    from responder.runbooks.catalogue import read as read_catalogue
    from responder.triage.matchers import parse, predicate

    return Surroundings(
        probe_kinds=PROBES,
        runbooks=read_catalogue(Path(runbooks)),
        channels=set(CHANNELS) - {"slack_webhook", "log"} - RESERVES,
        parse=parse,
        predicate=predicate,
    )


def channels(settings: Settings, *, show_unconfigured: bool = False) -> dict[str, Channel]:
    """The channels that are configured, and the log.

    ``show_unconfigured`` adds the others and masks all keys: a dry-run shows every message and no secret.
    """
    from responder.notify.channels import CHANNELS
    from responder.notify.channels import pagerduty as pager
    from responder.notify.pace import per_minute
    from responder.notify.slack_messages import BURST

    mask = Secret("***")
    events = per_minute(settings.pagerduty_events_per_minute, pager.BURST)
    posts = per_minute(settings.slack_messages_per_minute, BURST)
    group = settings.slack_oncall_group
    found: dict[str, Channel] = {}
    if settings.pagerduty_routing_key.reveal() or show_unconfigured:
        key = mask if show_unconfigured else settings.pagerduty_routing_key
        found["pagerduty"] = CHANNELS["pagerduty"](key, settings.pagerduty_url, settings.public_url, events)
    if settings.slack_bot_token.reveal() or (show_unconfigured and not settings.slack_webhook_url.reveal()):
        token = mask if show_unconfigured else settings.slack_bot_token
        found["slack"] = CHANNELS["slack"](token, settings.slack_channel, settings.slack_api_url, posts, group)
    elif settings.slack_webhook_url.reveal():
        hook = mask if show_unconfigured else settings.slack_webhook_url
        found["slack_webhook"] = CHANNELS["slack_webhook"](hook, posts, group)
    if not show_unconfigured:
        found |= _reserves(settings)
    found["log"] = CHANNELS["log"]()
    return found


def masked_channels(settings: Settings) -> dict[str, Channel]:
    """Every channel with its keys masked, and those that stand in for others where they are configured."""
    return channels(settings, show_unconfigured=True) | _reserves(settings, mask=Secret("***"))


def _reserves(settings: Settings, mask: Secret | None = None) -> dict[str, Channel]:
    """The channels that stand in for others, where they are configured."""
    from responder.notify.channels import CHANNELS
    from responder.notify.channels import pagerduty as pager
    from responder.notify.pace import per_minute

    found: dict[str, Channel] = {}
    if settings.pagerduty_fallback_routing_key.reveal() or settings.pagerduty_fallback_url:
        second = settings.pagerduty_fallback_routing_key
        key = mask or (second if second.reveal() else settings.pagerduty_routing_key)
        url = settings.pagerduty_fallback_url or settings.pagerduty_url
        events = per_minute(settings.pagerduty_events_per_minute, pager.BURST)
        found["pagerduty_fallback"] = CHANNELS["pagerduty_fallback"](key, url, settings.public_url, events)
    if settings.smtp_host:
        found["smtp"] = CHANNELS["smtp"](settings.smtp_from, addresses(settings.smtp_to))
    return found


def desk(settings: Settings, book: RuleBook, told: dict[str, Channel]) -> Desk:
    """What decisions are made with."""
    from responder.diagnose.probes import PROBES
    from responder.engine.desk import Desk
    from responder.notify.links import LinkMaker
    from responder.triage.matching import Matching

    return Desk(
        book=book,
        matching=Matching(book.rules),
        probe_kinds=PROBES,
        channels=told,
        links=LinkMaker(
            runbook_base_url=settings.runbook_base_url,
            public_url=settings.public_url,
            urls=book.urls,
            alertmanager_urls=settings.alertmanager_url,
            prometheus_url=settings.prometheus_url,
        ),
        prometheus_url=settings.prometheus_url,
        patience=Patience(timedelta(seconds=settings.group_interval)),
    )


def outgoing(settings: Settings, clock: Clock) -> Outgoing:
    """The way out."""
    from responder.outgoing import Outgoing

    return Outgoing(clock, connect_to=settings.connect_to, tokens=settings.tokens())


def deliverer(settings: Settings, clock: Clock) -> Deliverer:
    """What puts messages on the wire: HTTP, standard output for the log, SMTP where a mail server is configured."""
    from responder.notify.deliver import Deliverer

    way_out = outgoing(settings, clock)
    return Deliverer(
        way_out, clock, print_page=print_page, secrets=settings.secrets(), mailer=mailer(settings, clock, way_out)
    )


def mailer(settings: Settings, clock: Clock, way_out: Outgoing) -> Mailer | None:
    """What hands in mails, None where no mail server is configured."""
    from responder.outgoing.mail import Mailer, MailServer

    if not settings.smtp_host:
        return None
    server = MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        tls=settings.smtp_tls,
        user=settings.smtp_user,
        password=settings.smtp_password,
    )
    return Mailer(way_out, clock, server)


def prober(settings: Settings, clock: Clock) -> Prober:
    """What runs probes."""
    from responder.diagnose.contract import Tools
    from responder.diagnose.probes import PROBES
    from responder.diagnose.run import Prober

    tools: Tools = Tools(outgoing=outgoing(settings, clock), clock=clock)
    return Prober(PROBES, tools)


@dataclass(frozen=True, slots=True)
class Begun:
    """Rules that are being read, and how their files looked before: a change in between is read again."""

    looks: Looks
    reading: Reading


def begin_reading(settings: Settings) -> Begun:
    """Begin to read the rules of the settings' folder, in a process of its own."""
    from responder.rulebook.apart import Reading

    home = Path(__file__).parents[2]
    path = os.pathsep.join(filter(None, (str(home), os.environ.get("PYTHONPATH"))))
    statement = "import sys; from responder import bootstrap; bootstrap.tell_rules(*sys.argv[1:])"
    looks = rule_files(settings)
    reading = Reading(statement, settings.rules, settings.runbooks, env={**os.environ, "PYTHONPATH": path})
    return Begun(looks, reading)


def tell_rules(folder: str, runbooks: str) -> None:
    """What that process does: it writes the rule book to its standard output, or all that is wrong."""
    from responder.rulebook.apart import tell

    gc.disable()
    tell(lambda: load_rules(folder, runbooks), sys.stdout.buffer)


def loaded(settings: Settings, told: dict[str, Channel], begun: Begun) -> Loaded:
    """The rules, ready to decide with. Raises BadRules with every problem at once, and NotRead."""
    from responder.engine.reload import Loaded

    return Loaded(desk(settings, begun.reading.book(), told), begun.looks)


def rule_files(settings: Settings) -> Looks:
    """How the files that rules are made of look now."""
    from responder.rulebook.watch import look

    return look([settings.rules, settings.runbooks])


def retention(settings: Settings, database: Database, clock: Clock) -> Retention:
    """What deletes the old."""
    from responder.engine.retention import Retention

    return Retention(database, clock, timedelta(days=settings.retention_days), settings.max_database_bytes)


def print_page(page: str) -> None:
    """The log channel's page goes to standard output, whole and in one write."""
    os.write(1, (page.rstrip("\n") + "\n\n").encode())


def prepare_store(settings: Settings) -> None:
    """Bring the database to the newest schema, then let go of it. Raises CannotStore."""
    from responder.store.database import Database
    from responder.store.migrate import migrate

    database = Database(settings.database_url.reveal(), busy_seconds=MIGRATE_SECONDS)
    try:
        migrate(database)
    finally:
        database.close()


def reach_store(settings: Settings) -> None:
    """Look whether the database lets us in. Raises Away, and CannotStore for what does not pass by itself."""
    from responder.store.database import Database

    found = Database(settings.database_url.reveal())
    try:
        with found.read():
            pass
    finally:
        found.close()


def refusal(settings: Settings) -> str:
    """The SQLSTATE with which PostgreSQL refuses us for what the URL says; empty where waiting may help."""
    from responder.store.database import Database

    found = Database(settings.database_url.reveal())
    try:
        return found.refusal(SystemClock())
    finally:
        found.close()


def join_store(settings: Settings) -> None:
    """Before the workers are forked. What the dead had claimed is free at once, where certainly nobody else lives."""
    from responder.store import tables, waits
    from responder.store.database import Database

    found = Database(settings.database_url.reveal())
    try:
        with found.joining() as alone:
            if alone:
                with found.work() as connection:
                    for table in (tables.messages, tables.studies):
                        waits.shorten(connection, table, SystemClock().now(), timedelta())
    finally:
        found.close()


def prepare_store_aside(settings: Settings) -> None:
    """The same, in a child where Alembic is needed, to get its memory back. Only for a process without threads."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    from responder.store.database import Database
    from responder.store.migrate import is_newest

    database = Database(settings.database_url.reveal())
    try:
        if is_newest(database):
            return
    finally:
        database.close()
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as child:
        child.submit(prepare_store, settings).result()


@contextlib.contextmanager
def database(settings: Settings) -> Iterator[Database]:
    """The database as it is, for commands that must neither make nor migrate one. Raises CannotStore."""
    from responder.store.database import Database
    from responder.store.migrate import require

    found = Database(settings.database_url.reveal(), busy_seconds=LOOK_SECONDS)
    try:
        require(found)
        yield found
    finally:
        found.close()


def back_up(settings: Settings, target: Path, seconds: float) -> None:
    """Copy the database, whatever its version, to a new file within so many seconds. Raises CannotStore."""
    from responder.store.database import Database

    found = Database(settings.database_url.reveal())
    try:
        found.back_up(target, os.environ, seconds)
    finally:
        found.close()


@contextlib.contextmanager
def inbox(settings: Settings) -> Iterator[Inbox]:
    """The kept bodies of a database that is there. Raises CannotStore."""
    from responder.store.inbox import Inbox

    with database(settings) as found:
        yield Inbox(found)
