"""The entry points by which people act on incidents, as far as the settings configure them."""

from collections.abc import Callable, Iterator

from responder.bootstrap.channels import vendors
from responder.converse.pagerduty.api import PagerDutyApi
from responder.converse.pagerduty.entry import PagerDutyEntry
from responder.converse.slack.api import SlackApi
from responder.converse.slack.entry import SlackEntry
from responder.model.clock import Clock
from responder.model.secret import Secret
from responder.notify.channels import CHANNELS
from responder.notify.channels.pagerduty import PagerDuty
from responder.settings import Settings
from responder.store.database import Database
from responder.web.pagerduty import PagerDutyRoutes
from responder.web.slack import SlackRoutes


def slack_entry(settings: Settings, database: Database, clock: Clock, on_kept: Callable[[], None]) -> SlackEntry:
    """Return what handles presses, dialogs and commands of Slack."""
    given = settings.of_channels
    api = SlackApi(vendors(settings, clock), clock, given["slack_bot_token"], given["slack_api_url"])
    return SlackEntry(database, api, clock, api.workspace, on_kept)


def slack_routes(
    settings: Settings, database: Database, clock: Clock, on_kept: Callable[[], None]
) -> Iterator[SlackRoutes]:
    """Yield the signed HTTP routes, if a bot and a signing secret are configured."""
    given = settings.of_channels
    secrets = tuple(Secret(each) for each in given["slack_signing_secret"].reveal().split())
    if secrets and given["slack_bot_token"].reveal():
        yield SlackRoutes(slack_entry(settings, database, clock, on_kept), secrets, clock)


def pagerduty_routes(
    settings: Settings, database: Database, clock: Clock, on_kept: Callable[[], None]
) -> Iterator[PagerDutyRoutes]:
    """Yield the route of PagerDuty's webhooks, if the secret of a subscription is configured."""
    given = settings.of_channels
    secrets = tuple(Secret(each) for each in given["pagerduty_webhook_secret"].reveal().split())
    if secrets:
        api = PagerDutyApi(vendors(settings, clock), clock, given["pagerduty_api_token"], given["pagerduty_api_url"])
        kinds = tuple(name for name, kind in CHANNELS.items() if issubclass(kind, PagerDuty))
        yield PagerDutyRoutes(PagerDutyEntry(database, api, clock, kinds, on_kept), secrets, clock)
