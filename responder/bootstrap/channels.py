"""Build what leaves the process: channels and their deliverer, probes and their prober, HTTP clients."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from responder.bootstrap.environment import SystemClock, print_page, programs
from responder.model.clock import Clock, Deadline
from responder.model.problem import InvalidRules, Problem
from responder.model.rule import RuleBook
from responder.model.secret import Secret
from responder.model.team import NamedChannel, SecretName
from responder.settings import Settings

if TYPE_CHECKING:
    from responder.diagnose.contract import ProbeQuestion
    from responder.diagnose.prober import Prober
    from responder.model.finding import Finding
    from responder.notify.contract import Channel
    from responder.notify.delivery.deliver import Deliverer
    from responder.outgoing import Outgoing
    from responder.outgoing.network import Proxies
    from responder.outgoing.silences import Silences


_MASK = Secret("***")


def channels(settings: Settings) -> "dict[str, Channel]":
    """Return the channels that are configured, and the log."""
    return _built({**settings.of_channels, **_own_addresses(settings)})


def companions(settings: Settings, configured: "Mapping[str, Channel]") -> "dict[str, Channel]":
    """Return the companions of configured channels, as far as the settings have what they need."""
    from responder.notify.channels.pagerduty_notes import PagerDutyNotes
    from responder.notify.channels.slack import Slack
    from responder.notify.channels.slack_pictures import SlackPictures
    from responder.notify.contract import COMPANION_SUFFIX

    kinds = {channel.kind for channel in configured.values()}
    notes = PagerDutyNotes.from_settings(settings.of_channels)
    found: list[Channel] = [notes] if notes is not None and notes.accompanies & kinds else []
    if settings.of_channels["slack_pictures"] == "on":
        slacks = [each for each in configured.values() if isinstance(each, Slack)]
        found += [SlackPictures(each.token, each.base_url, name=f"{each.name}{COMPANION_SUFFIX}") for each in slacks]
    return {channel.name: channel for channel in found}


def _own_addresses(settings: Settings) -> dict[str, str]:
    return {"public_url": settings.public_url, "console_url": settings.console_url}


def shown_channels(settings: Settings, book: RuleBook | None = None) -> "dict[str, Channel]":
    """Return the channels with their secrets masked, also those that rules may name and that are not configured.

    Those of ``book`` are among them; none of their secrets is read.
    """
    from responder.notify.channels import CHANNELS
    from responder.notify.delivery.route import named_by_rules, replaces

    given = {**settings.of_channels, **_own_addresses(settings)}
    secrets = {name: value for name, value in given.items() if isinstance(value, Secret)}
    found = _built(given | {name: _MASK for name, value in secrets.items() if value.reveal()})
    wanted = named_by_rules() - {replaces(channel) for channel in found.values()}
    every = _built(_assumed(given) | dict.fromkeys(secrets, _MASK))
    shown = found | {name: every[name] for name in wanted if name not in found and name in every}
    named: dict[str, Channel] = {}
    for spec in book.channels.values() if book else ():
        masks = {value.name: _MASK for value in spec.values.values() if isinstance(value, SecretName)}
        if channel := _named(settings, book, spec, masks, masked=True) if book else None:
            named[spec.name] = channel
    return {name: shown[name] for name in CHANNELS if name in shown} | named


def named_channels(settings: Settings, book: RuleBook) -> "dict[str, Channel]":
    """Return the channels of the rule files, with their secrets.

    Raises InvalidRules with a problem for each that lacks a secret or a setting.
    """
    found, problems = find_named_channels(settings, book)
    if problems:
        raise InvalidRules(tuple(sorted(problems.values())))
    return found


def find_named_channels(settings: Settings, book: RuleBook) -> "tuple[dict[str, Channel], dict[str, Problem]]":
    """Return the channels of the rule files that are complete, and the problem of each other one, by name."""
    from responder.notify.delivery.named import needed_setting

    def problem(spec: NamedChannel, said: str, hint: str) -> Problem:
        return Problem(spec.position, "missing-secret", f"channel '{spec.name}' {said}", hint)

    found: dict[str, Channel] = {}
    problems: dict[str, Problem] = {}
    for name, spec in book.channels.items():
        secrets, missing = {}, []
        for wanted in spec.values.values():
            if isinstance(wanted, SecretName):
                try:
                    secrets[wanted.name] = secret(settings.secrets_dir, wanted, os.environ)
                except LookupError as error:
                    missing.append((wanted, str(error)))
        if missing:
            said = " and ".join(f"has no secret {wanted.name}: {why}" for wanted, why in missing)
            where = f"{settings.secrets_dir or 'RESPONDER_SECRETS_DIR'}/{missing[0][0].name}"
            problems[name] = problem(spec, said, f"write it into {where} or {missing[0][0].variable}")
            continue
        channel = _named(settings, book, spec, secrets)
        if channel is None:
            problems[name] = problem(spec, "is not complete", f"set {needed_setting(spec)}")
        else:
            found[name] = channel
    return found, problems


def secret(folder: str, wanted: SecretName, env: Mapping[str, str]) -> Secret:
    """Return the value of a secret: the file of its name in ``folder``, or its variable in ``env``.

    Raises LookupError with the reason if there is none.
    """
    path = Path(folder) / wanted.name
    text = ""
    if folder and path.exists():
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise LookupError(f"{path} cannot be read: {why}") from None
        if not text:
            raise LookupError(f"{path} is empty")
    text = text or env.get(wanted.variable, "").strip()
    if not text:
        raise LookupError(
            f"{f'neither {path} nor ' if folder else ''}{wanted.variable} is {'there' if folder else 'not set'}"
        )
    return Secret(text)


def _named(
    settings: Settings, book: RuleBook, spec: NamedChannel, secrets: Mapping[str, Secret], *, masked: bool = False
) -> "Channel | None":
    """Return a channel with the on-call group of its team, where it sets none itself."""
    from responder.notify.delivery.named import built, takes

    given: dict[str, Any] = {**settings.of_channels, **_own_addresses(settings)}
    if masked:
        given = _assumed(given) | {name: _MASK for name, value in given.items() if isinstance(value, Secret)}
    groups = (
        team.oncall_group
        for team in book.teams.values()
        if team.oncall_group and spec.name in (*team.channels, *team.fallback)
    )
    group = next(groups, "") if takes(spec, "oncall_group") and "oncall_group" not in spec.values else ""
    return built(replace(spec, values={**spec.values, "oncall_group": group}) if group else spec, secrets, given)


def _assumed(given: dict[str, Any]) -> dict[str, Any]:
    from responder.notify.channels import CHANNELS

    assumed = {name: value for kind in CHANNELS.values() for name, value in kind.assumed.items()}
    return given | {name: value for name, value in assumed.items() if not given[name]}


def _built(given: dict[str, Any]) -> "dict[str, Channel]":
    from responder.notify.channels import CHANNELS

    found = (kind.from_settings(given) for kind in CHANNELS.values())
    return {channel.name: channel for channel in found if channel is not None}


def outgoing(settings: Settings, clock: Clock) -> "Outgoing":
    """Client for probes and for queries to Prometheus and Alertmanager: it uses no proxy."""
    from responder.outgoing import Outgoing

    return Outgoing(
        clock, connect_to=settings.connect_to, ca_file=settings.ca_file, credentials=settings.credentials_by_url()
    )


def silences(settings: Settings, clock: Clock) -> "Silences":
    """Client for silences in the Alertmanagers of the settings."""
    from responder.outgoing.silences import Silences

    return Silences(outgoing(settings, clock), clock, settings.alertmanager_url)


def vendors(settings: Settings, clock: Clock) -> "Outgoing":
    """Client for channels and heartbeats: it uses the proxy, if there is one."""
    from responder.outgoing import Outgoing

    return Outgoing(
        clock,
        connect_to=settings.connect_to,
        ca_file=settings.ca_file,
        credentials=settings.credentials_by_url(),
        proxies=proxies(settings),
    )


def proxies(settings: Settings) -> "Proxies":
    """Proxies of the settings."""
    from responder.outgoing.network import Proxies

    # What RESPONDER_CONNECT_TO leads elsewhere is a port-forward or a demo: no proxy could reach it.
    direct = ",".join((settings.no_proxy, *settings.connect_to))
    return Proxies(settings.proxy_url, settings.http_proxy_url, direct)


def deliverer(settings: Settings, clock: Clock) -> "Deliverer":
    """Build the deliverer: HTTP, standard output for the log, SMTP for mail."""
    return deliverer_with(vendors(settings, clock), settings, clock, print_page)


def deliverer_with(
    way_out: "Outgoing", settings: Settings, clock: Clock, print_page: Callable[[str], None]
) -> "Deliverer":
    """Build a deliverer over existing connections."""
    from responder.notify.delivery.deliver import Deliverer
    from responder.outgoing.smtp import Mailer

    return Deliverer(way_out, clock, print_page, settings.secrets(), Mailer(way_out, clock))


def prober(settings: Settings, clock: Clock) -> "Prober":
    """Build the prober."""
    from responder.bootstrap.kubernetes import shared_reads
    from responder.diagnose.contract import ProbeTools
    from responder.diagnose.prober import Prober
    from responder.diagnose.probes import PROBES

    tools: ProbeTools = ProbeTools(
        outgoing=outgoing(settings, clock),
        clock=clock,
        cluster=shared_reads(settings, os.environ, clock),
        pod_networks=tuple(ip_network(part.strip()) for part in settings.pod_networks.split(",") if part.strip()),
        programs=programs(os.environ),
    )
    return Prober(PROBES, tools)


def probe_once(questions: "Sequence[ProbeQuestion]", settings: Settings, seconds: float) -> "tuple[Finding, ...]":
    """Run probes for at most some seconds, and close their connections."""
    clock = SystemClock()
    with closing(prober(settings, clock)) as found:
        return found.run(questions, Deadline(clock.monotonic() + seconds))
