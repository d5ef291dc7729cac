"""The ways out: channels and what delivers their messages, probes and what runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from responder.bootstrap.environment import print_page
from responder.model.clock import Clock
from responder.model.secret import Secret
from responder.settings import Settings, addresses

if TYPE_CHECKING:
    from responder.diagnose.contract import Tools
    from responder.diagnose.prober import Prober
    from responder.notify.contract import Channel
    from responder.notify.delivery.deliver import Deliverer
    from responder.outgoing import Outgoing
    from responder.outgoing.smtp import Mailer


def channels(settings: Settings, *, show_unconfigured: bool = False) -> dict[str, Channel]:
    """The channels that are configured, and the log.

    ``show_unconfigured`` adds the others and masks all keys: a dry-run shows every message and no secret.
    """
    from responder.notify.channels import pagerduty as pager
    from responder.notify.channels.log import Log
    from responder.notify.channels.slack import Slack
    from responder.notify.channels.slack_webhook import SlackWebhook
    from responder.notify.rate_limit import per_minute
    from responder.notify.render.slack_messages import BURST

    mask = Secret("***")
    events = per_minute(settings.pagerduty_events_per_minute, pager.BURST)
    posts = per_minute(settings.slack_messages_per_minute, BURST)
    group = settings.slack_oncall_group
    found: dict[str, Channel] = {}
    if settings.pagerduty_routing_key.reveal() or show_unconfigured:
        key = mask if show_unconfigured else settings.pagerduty_routing_key
        found["pagerduty"] = pager.PagerDuty(key, settings.pagerduty_url, settings.public_url, events)
    if settings.slack_bot_token.reveal() or (show_unconfigured and not settings.slack_webhook_url.reveal()):
        token = mask if show_unconfigured else settings.slack_bot_token
        found["slack"] = Slack(token, settings.slack_channel, settings.slack_api_url, posts, group)
    elif settings.slack_webhook_url.reveal():
        hook = mask if show_unconfigured else settings.slack_webhook_url
        found["slack_webhook"] = SlackWebhook(hook, posts, group)
    if not show_unconfigured:
        found |= _reserves(settings)
    found["log"] = Log()
    return found


def masked_channels(settings: Settings) -> dict[str, Channel]:
    """Every channel with its keys masked, and those that stand in for others where they are configured."""
    return channels(settings, show_unconfigured=True) | _reserves(settings, mask=Secret("***"))


def _reserves(settings: Settings, mask: Secret | None = None) -> dict[str, Channel]:
    """The channels that stand in for others, where they are configured."""
    from responder.notify.channels import pagerduty as pager
    from responder.notify.channels.smtp import Smtp
    from responder.notify.rate_limit import per_minute

    found: dict[str, Channel] = {}
    if settings.pagerduty_fallback_routing_key.reveal() or settings.pagerduty_fallback_url:
        second = settings.pagerduty_fallback_routing_key
        key = mask or (second if second.reveal() else settings.pagerduty_routing_key)
        url = settings.pagerduty_fallback_url or settings.pagerduty_url
        events = per_minute(settings.pagerduty_events_per_minute, pager.BURST)
        found["pagerduty_fallback"] = pager.PagerDutyFallback(key, url, settings.public_url, events)
    if settings.smtp_host:
        found["smtp"] = Smtp(settings.smtp_from, addresses(settings.smtp_to))
    return found


def outgoing(settings: Settings, clock: Clock) -> Outgoing:
    """The way out."""
    from responder.outgoing import Outgoing

    return Outgoing(clock, connect_to=settings.connect_to, tokens=settings.tokens())


def deliverer(settings: Settings, clock: Clock) -> Deliverer:
    """What puts messages on the wire: HTTP, standard output for the log, SMTP where a mail server is configured."""
    from responder.notify.delivery.deliver import Deliverer

    way_out = outgoing(settings, clock)
    return Deliverer(
        way_out, clock, print_page=print_page, secrets=settings.secrets(), mailer=mailer(settings, clock, way_out)
    )


def mailer(settings: Settings, clock: Clock, way_out: Outgoing) -> Mailer | None:
    """What hands in mails, None where no mail server is configured."""
    from responder.outgoing.smtp import Mailer, MailServer

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
    from responder.diagnose.prober import Prober
    from responder.diagnose.probes import PROBES

    tools: Tools = Tools(outgoing=outgoing(settings, clock), clock=clock)
    return Prober(PROBES, tools)
