"""Checks of the channels: reachable and authenticated. Only ``--send`` sends: a page, resolved at once."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from urllib.parse import urlsplit

import responder
from responder import bootstrap
from responder.cli.doctor.context import Check, DoctorContext
from responder.model.check import Level, Result, bad, ok, skipped, warn
from responder.model.message import ClaimedMessage, Response
from responder.model.report import MessageKind, Report, Status
from responder.model.rule import RuleBook
from responder.model.secret import Secret
from responder.model.text import number_of
from responder.notify.channels import CHANNELS
from responder.notify.contract import Channel, Use
from responder.notify.delivery.route import replaces
from responder.outgoing import UnreachableError
from responder.settings import Settings

REACH = "check the network: DNS, egress rules, RESPONDER_PROXY_URL if a proxy is required"
_MADE = 2026  # year of the first release; a clock before it is wrong


def checks() -> dict[str, Check]:
    """Return a check for each kind of channel, by the kind's name."""
    return {name: partial(_checked, name) for name, kind in CHANNELS.items() if kind.use is not Use.LAST_RESORT}


def _checked(name: str, context: DoctorContext) -> tuple[Result, ...]:
    """Check the channel of a kind, or say that it is not configured."""
    configured = bootstrap.channels(context.settings)
    channel = configured.get(name)
    if channel is None:
        kind = CHANNELS[name]
        if kind.stands_in_for or any(replaces(each) == name for each in configured.values()):
            return ()
        missing = kind.unconfigured(name)
        named = context.book is not None and any(name in rule.reaches for rule in context.book.rules)
        return (replace(missing, level=Level.WARN) if named and missing.level is Level.SKIPPED else missing,)
    return tuple(_results(name, channel, context))


def _results(name: str, channel: Channel, context: DoctorContext) -> Iterator[Result]:
    try:
        yield from channel.check(context.exchange)
    except UnreachableError as error:
        yield bad(name, str(error), REACH)


def named(context: DoctorContext) -> tuple[Result, ...]:
    """Check the channels that rule files declare, and name the secrets that are missing."""
    if context.book is None or not context.book.channels:
        return ()
    channels, problems = bootstrap.find_named_channels(context.settings, context.book)
    found = [bad(name, each.message, each.hint) for name, each in problems.items()]
    return (*found, *(result for name, channel in channels.items() for result in _results(name, channel, context)))


def _configured(context: DoctorContext) -> Mapping[str, Channel]:
    """Return the channels of the settings, and those of the rule files that are complete."""
    own = bootstrap.channels(context.settings)
    return own | bootstrap.find_named_channels(context.settings, context.book)[0] if context.book else own


def acting_groups(context: DoctorContext) -> tuple[Result, ...]:
    """Check that Slack lists the user groups whose members may act: without its group a team cannot acknowledge."""
    from responder.converse.slack.api import SlackApi

    given = context.settings.of_channels
    teams = {team.acting_group: name for name, team in context.book.teams.items()} if context.book else {}
    if not any(teams) or not given["slack_bot_token"].reveal():
        return ()
    slack = SlackApi(context.outgoing, context.clock, given["slack_bot_token"], given["slack_api_url"])
    return tuple(_group_checked(group, team, slack.members(group)) for group, team in teams.items() if group)


def _group_checked(group: str, team: str, members: Collection[str] | None) -> Result:
    if members:
        return ok("acting_groups", f"{number_of(len(members), 'person', 'people')} of {group} may act for team {team}")
    what = "has no members" if members is not None else "is not listed by Slack: deleted, or no scope usergroups:read"
    change = "change acting_group in the rule files, or the group in Slack"
    return bad("acting_groups", f"presses for team {team} are refused: the user group {group} {what}", change)


def fallbacks(context: DoctorContext) -> tuple[Result, ...]:
    """Check that a page rejected by the first channel has a fallback channel that pages."""
    from responder.engine.jobs.fallback import ways

    configured = bootstrap.channels(context.settings)
    _first, *others = ways(configured) or ("",)
    if others:
        titles = ", then ".join(configured[name].title for name in others)
        return (ok("fallback", f"if a page is rejected, it goes to {titles}"),)
    return (warn("fallback", "no fallback channel if a page is rejected", f"set {fallback_settings()}"),)


def fallback_settings() -> str:
    """Return the variables that configure a paging fallback channel, as an enumeration."""
    names = [
        f"RESPONDER_{each.name.upper()}" for kind in CHANNELS.values() for each in kind.settings if each.calls_oncall
    ]
    return f"{', '.join(names[:-1])} or {names[-1]}"


def proxy(context: DoctorContext) -> tuple[Result, ...]:
    """Name the proxy of each configured vendor. The other checks show if it lets requests pass."""
    proxies = bootstrap.proxies(context.settings)
    used: dict[str, list[str]] = {}
    for host, port, scheme in _vendors(context.settings):
        found = proxies.proxy_for(scheme, host, port)
        used.setdefault(found.name if found else "", []).append(host)
    direct = used.pop("", [])
    if not used:
        return (skipped("proxy", "no proxy: vendors are reached directly"),)
    which = [f"{', '.join(dict.fromkeys(hosts))} through {name}" for name, hosts in used.items()]
    which += [f"{', '.join(dict.fromkeys(direct))} directly"] if direct else []
    return (ok("proxy", f"{'; '.join(which)}; probes use no proxy"),)


def _vendors(settings: Settings) -> Iterator[tuple[str, int, str]]:
    """Yield host, port and scheme of the vendors of configured channels and of the outbound heartbeat."""
    urls = [settings.heartbeat_url.reveal(), settings.heartbeat_fail_url.reveal()]
    for name in bootstrap.channels(settings):
        values = (settings.value(each.name) for each in CHANNELS[name].settings if each.name.endswith("_url"))
        urls += [value.reveal() if isinstance(value, Secret) else value for value in values]
    for url in filter(None, urls):
        parts = urlsplit(url)
        yield parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80), parts.scheme


def test_messages(context: DoctorContext) -> tuple[Result, ...]:
    """With --send, send a page of the lowest severity to each channel, and its resolve."""
    if not context.send:
        return (skipped("send", "no test message sent", "use --send to open and resolve a test incident"),)
    if context.book is None:
        return (skipped("send", "the rules are invalid"),)

    notified = [each for each in _configured(context).values() if each.use is not Use.LAST_RESORT]
    if not notified:
        return (bad("send", "no channel is configured", "see the channels above"),)
    now = context.clock.now()
    steps = [test_page(channel, context.book, now) for channel in notified]
    opened = [
        _sent(context, channel, [each for each in step if each.report.status is not Status.RESOLVED], {})
        for channel, step in zip(notified, steps, strict=True)
    ]
    if not all(isinstance(each, Result) for each in opened):
        context.hold()
    results = []
    for channel, step, found in zip(notified, steps, opened, strict=True):
        closing = [each for each in step if each.report.status is Status.RESOLVED]
        done = found if isinstance(found, Result) else _sent(context, channel, closing, found)
        accepted = ok("send", f"{channel.name} accepted a test page and its resolve")
        results.append(done if isinstance(done, Result) else accepted)
    return tuple(results)


def _sent(
    context: DoctorContext, channel: Channel, claimed: Sequence[ClaimedMessage], accepted: Mapping[str, str]
) -> Mapping[str, str] | Result:
    """Send messages; return the vendor's reference of the first that was accepted, or the reason why one was not."""
    from responder.model.outcome import Delivered

    deliverer = bootstrap.deliverer_with(context.outgoing, context.settings, context.clock, lambda _page: None)
    for each in claimed:
        outcome = deliverer.deliver(channel, replace(each, previous=accepted), context.deadline)
        if not isinstance(outcome, Delivered):
            what = f"{channel.name} did not accept the {each.step}: {outcome.reason}"
            return bad("send", what, f"check the settings of {channel.name}")
        accepted = accepted or outcome.ref
    return accepted


def clocks(context: DoctorContext) -> tuple[Result, ...]:
    """Compare the clock with the Date header of each server; without a response, with the release year."""
    from responder.notify.render.response import date

    change = "synchronize the clock with chrony or systemd-timesyncd"
    found = []
    for name, url, look in _timekeepers(context):
        before = context.clock.now()
        try:
            response = look(url)
        except UnreachableError:
            continue
        theirs = date(response.headers.get("date", ""))
        if theirs is None:
            continue
        ours = before + (context.clock.now() - before) / 2
        away = max(timedelta(0), abs(ours - theirs) - timedelta(seconds=1)).total_seconds()  # Date has whole seconds
        if away > 60:
            found.append(bad("clock", f"differs from {name}'s by {away:.0f} s", change))
        elif away > 5:
            found.append(warn("clock", f"differs from {name}'s by {away:.0f} s", change))
        else:
            found.append(ok("clock", f"agrees with {name}'s"))
    if not found and (now := context.clock.now()).year < _MADE:
        return (bad("clock", f"set to {now:%Y-%m-%d}, before the release date", change),)
    return tuple(found) or (skipped("clock", "no server responded to compare with"),)


def _timekeepers(context: DoctorContext) -> Iterator[tuple[str, str, Callable[[str], Response]]]:
    """Yield name, URL and request function of each server to compare with."""
    given = context.settings
    if given.prometheus_url:
        yield "Prometheus", given.prometheus_url, context.query
    for url in [url for urls in given.alertmanager_url.values() for url in urls][:1]:
        yield "Alertmanager", url, context.query
    for channel in bootstrap.channels(given).values():
        if channel.clock_url:
            yield channel.title, channel.clock_url, context.get


def test_page(channel: Channel, book: RuleBook, now: datetime) -> list[ClaimedMessage]:
    """Return the messages of a page and its resolve; ``previous`` of all but the first is filled in when sending."""
    opening = _test_report(book, now)
    closing = replace(
        opening,
        kind=MessageKind.RESOLUTION,
        status=Status.RESOLVED,
        ended_at=now,
        resolution="a test",
    )
    steps = [(notified, step) for notified in (opening, closing) for step in channel.steps[notified.kind]]
    return [
        ClaimedMessage(
            id=number,
            channel=channel.name,
            step=step,
            priority=4,
            report=notified,
            due_at=now,
            attempt=1,
            minimal=False,
        )
        for number, (notified, step) in enumerate(steps, 1)
    ]


def _test_report(book: RuleBook, now: datetime) -> Report:
    """Return a page that says it is a test."""
    mildest = list(book.severities.values())[-1]
    return Report(
        kind=MessageKind.START,
        status=Status.INVESTIGATING,
        incident="INC-TEST",
        dedup_key=f"responder-doctor-{now:%Y%m%dT%H%M%S}",
        title=f"[{mildest.name}] test by responder doctor: no action required ({book.environment})",
        severity=mildest.name,
        severity_reason="a test has the lowest severity",
        pagerduty_severity=mildest.pagerduty,
        pages=False,
        service="responder",
        environment=book.environment,
        alertname="ResponderDoctor",
        what="Test message of `responder doctor --send`: pages arrive here.",
        first_step="None: it resolves automatically.",
        firing=1,
        labels={"alertname": "ResponderDoctor"},
        rule="none",
        made_by=f"responder {responder.__version__}, doctor",
        started_at=now,
        written_at=now,
    )
