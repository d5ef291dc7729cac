"""The ways out: channels and what delivers their messages, probes and what runs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from responder.bootstrap.environment import print_page
from responder.model.clock import Clock
from responder.model.secret import Secret
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.diagnose.contract import ProbeTools
    from responder.diagnose.prober import Prober
    from responder.notify.contract import Channel
    from responder.notify.delivery.deliver import Deliverer
    from responder.outgoing import Outgoing
    from responder.outgoing.proxy import Proxies


_MASK = Secret("***")


def channels(settings: Settings) -> dict[str, Channel]:
    """Return the channels that are configured, and the log."""
    return _built({**settings.of_channels, "public_url": settings.public_url})


def shown_channels(settings: Settings) -> dict[str, Channel]:
    """Return the channels with their secrets masked, also those that rules may name and that are not configured."""
    from responder.notify.channels import CHANNELS
    from responder.notify.delivery.route import named_by_rules

    given = {**settings.of_channels, "public_url": settings.public_url}
    secrets = {name: value for name, value in given.items() if isinstance(value, Secret)}
    found = _built(given | {name: _MASK for name, value in secrets.items() if value.reveal()})
    wanted = named_by_rules() - {channel.stands_in_for for channel in found.values()}
    every = _built(given | dict.fromkeys(secrets, _MASK))
    shown = found | {name: every[name] for name in wanted if name not in found and name in every}
    return {name: shown[name] for name in CHANNELS if name in shown}


def _built(given: dict[str, Any]) -> dict[str, Channel]:
    from responder.notify.channels import CHANNELS

    found = (kind.from_settings(given) for kind in CHANNELS.values())
    return {channel.name: channel for channel in found if channel is not None}


def outgoing(settings: Settings, clock: Clock) -> Outgoing:
    """Client for probes and for queries to Prometheus and Alertmanager: it uses no proxy."""
    from responder.outgoing import Outgoing

    return Outgoing(clock, connect_to=settings.connect_to, ca_file=settings.ca_file, tokens=settings.tokens())


def vendors(settings: Settings, clock: Clock) -> Outgoing:
    """Client for channels and heartbeats: it uses the proxy, if there is one."""
    from responder.outgoing import Outgoing

    return Outgoing(
        clock,
        connect_to=settings.connect_to,
        ca_file=settings.ca_file,
        tokens=settings.tokens(),
        proxies=proxies(settings),
    )


def proxies(settings: Settings) -> Proxies:
    """Proxies of the settings."""
    from responder.outgoing.proxy import Proxies

    # What RESPONDER_CONNECT_TO leads elsewhere is a port-forward or a demo: no proxy could reach it.
    direct = ",".join((settings.no_proxy, *settings.connect_to))
    return Proxies(settings.proxy_url, settings.http_proxy_url, direct)


def deliverer(settings: Settings, clock: Clock) -> Deliverer:
    """Return what sends messages: HTTP, standard output for the log, SMTP for mail."""
    return deliverer_with(vendors(settings, clock), settings, clock, print_page)


def deliverer_with(way_out: Outgoing, settings: Settings, clock: Clock, print_page: Callable[[str], None]) -> Deliverer:
    """Return the same over connections that are there."""
    from responder.notify.delivery.deliver import Deliverer
    from responder.outgoing.smtp import Mailer

    return Deliverer(way_out, clock, print_page, settings.secrets(), Mailer(way_out, clock))


def prober(settings: Settings, clock: Clock) -> Prober:
    """Build the prober."""
    from responder.diagnose.contract import ProbeTools
    from responder.diagnose.prober import Prober
    from responder.diagnose.probes import PROBES

    tools: ProbeTools = ProbeTools(outgoing=outgoing(settings, clock), clock=clock)
    return Prober(PROBES, tools)
