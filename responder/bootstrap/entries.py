"""The entry points by which people act on incidents, as far as the settings configure them."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from flask import Blueprint

from responder.bootstrap.channels import silences, vendors
from responder.converse import silencing
from responder.converse.pagerduty.api import PagerDutyApi
from responder.converse.pagerduty.entry import PagerDutyEntry
from responder.converse.slack.api import SlackApi
from responder.converse.slack.entry import SlackEntry
from responder.model.clock import Clock
from responder.model.rule import RuleBook
from responder.model.secret import Secret
from responder.notify.channels import CHANNELS
from responder.notify.channels.pagerduty import PagerDuty
from responder.outgoing import Outgoing
from responder.settings import Settings
from responder.store.database import Database
from responder.web import pagerduty, slack

#: The kinds of PagerDuty's channels.
PAGERDUTY_KINDS = tuple(name for name, kind in CHANNELS.items() if issubclass(kind, PagerDuty))

if TYPE_CHECKING:
    from responder.converse.slack.socket_mode import SocketMode


def _slack(
    settings: Settings,
    database: Database,
    clock: Clock,
    on_kept: Callable[[], None],
    book: Callable[[], RuleBook],
    outgoing: Outgoing,
) -> tuple[SlackEntry, SlackApi]:
    given = settings.of_channels
    api = SlackApi(outgoing, clock, given["slack_bot_token"], given["slack_api_url"])

    def acting_groups() -> Mapping[str, str]:
        return {name: team.acting_group for name, team in book().teams.items() if team.acting_group}

    def morning(now: datetime) -> datetime:
        return silencing.next_morning(book(), now)

    muting = silences(settings, clock)
    return SlackEntry(database, api, clock, api.workspace, on_kept, muting, morning, acting_groups), api


def socket_mode(
    settings: Settings,
    database: Database,
    clock: Clock,
    on_kept: Callable[[], None],
    book: Callable[[], RuleBook],
    hold: Callable[[], bool],
) -> "SocketMode | None":
    """Return Slack's Socket Mode for a bot with an app token. ``hold`` chooses one worker of the instance."""
    given = settings.of_channels
    if not given["slack_app_token"].reveal() or not given["slack_bot_token"].reveal():
        return None
    from responder.converse.slack.socket_mode import SocketMode

    outgoing = vendors(settings, clock)
    entry, api = _slack(settings, database, clock, on_kept, book, outgoing)
    return SocketMode(entry, api, outgoing, clock, given["slack_app_token"], hold)


def routes(
    settings: Settings,
    database: Database,
    clock: Clock,
    on_kept: Callable[[], None],
    book: Callable[[], RuleBook],
) -> Iterator[Blueprint]:
    """Yield the signed routes: of Slack for a bot with a signing secret, of PagerDuty with a webhook secret.

    ``on_kept`` is called after each action that is stored; ``book`` returns the rules in force.
    """
    given, outgoing = settings.of_channels, vendors(settings, clock)
    secrets = _several(given["slack_signing_secret"])
    if secrets and given["slack_bot_token"].reveal():
        yield slack.blueprint(_slack(settings, database, clock, on_kept, book, outgoing)[0], secrets, clock)
    if secrets := _several(given["pagerduty_webhook_secret"]):
        entry = PagerDutyEntry(database, pagerduty_api(settings, outgoing, clock), clock, PAGERDUTY_KINDS, on_kept)
        yield pagerduty.blueprint(entry, secrets, clock)


def pagerduty_api(settings: Settings, outgoing: Outgoing, clock: Clock) -> PagerDutyApi:
    """Return PagerDuty's REST API; without a token it is asked nothing."""
    given = settings.of_channels
    token, url, author = (given[f"pagerduty_api_{name}"] for name in ("token", "url", "from"))
    return PagerDutyApi(outgoing, clock, token, url, author)


def _several(secret: Secret) -> tuple[Secret, ...]:
    return tuple(Secret(each) for each in secret.reveal().split())
