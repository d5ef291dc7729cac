"""The kinds of channels by their usual names. To add one: a file here, a line below, a case in the contract tests."""

from responder.notify.channels.generic_webhook import GenericWebhook
from responder.notify.channels.jsm import Jsm
from responder.notify.channels.log import Log
from responder.notify.channels.mattermost import Mattermost
from responder.notify.channels.pagerduty import PagerDuty, PagerDutyFallback
from responder.notify.channels.slack import Slack
from responder.notify.channels.slack_room import SlackRoom
from responder.notify.channels.slack_webhook import SlackWebhook
from responder.notify.channels.smtp import Smtp
from responder.notify.channels.status_webhook import StatusWebhook
from responder.notify.channels.statuspage import Statuspage
from responder.notify.channels.teams import Teams
from responder.notify.contract import Channel

CHANNELS: dict[str, type[Channel]] = {
    "pagerduty": PagerDuty,
    "pagerduty_fallback": PagerDutyFallback,
    "slack": Slack,
    "slack_webhook": SlackWebhook,
    "teams": Teams,
    "jsm": Jsm,
    "mattermost": Mattermost,
    "generic_webhook": GenericWebhook,
    "smtp": Smtp,
    "statuspage": Statuspage,
    "status_webhook": StatusWebhook,
    "slack_room": SlackRoom,
    "log": Log,
}
