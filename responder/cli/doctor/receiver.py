"""Alertmanager's configuration, read for what concerns us: is our webhook in it, and do the routes suit it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from responder.model.check import Result, bad, ok, warn
from responder.model.rule import ExpectedHeartbeat, Matcher, Op
from responder.rulebook.field_types import seconds
from responder.settings import Settings

PATH: Final = "/webhook/alertmanager"
HIDDEN: Final = "<secret>"
_USUAL_GROUP: Final = 300.0
_LONG_GROUP: Final = 600.0
_LONG_REPEAT: Final = 24 * 3600.0

Parse = Callable[[str], tuple[Matcher, ...]]
Predicate = Callable[[Matcher], Callable[[str], bool]]


@dataclass(frozen=True, slots=True)
class Route:
    """A route with what it inherits. Times are seconds."""

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    goes_on: bool = False
    group_by: tuple[str, ...] = ()
    group_interval: float = _USUAL_GROUP
    repeat_interval: float = 4 * 3600.0
    children: tuple[Route, ...] = field(default=())


def judge(
    about: str,
    config: Mapping[str, Any],
    heartbeats: Sequence[ExpectedHeartbeat],
    parse: Parse,
    predicate: Predicate,
    given: Settings,
) -> tuple[Result, ...]:
    """Everything that is wrong with the configuration for us. ``config`` is the YAML of /api/v2/status as data.

    ``given`` are our own settings, of which two must suit its routes.
    """
    receivers = [each for each in config.get("receivers") or [] if isinstance(each, dict)]
    ours = {str(each.get("name")): hooks for each in receivers if (hooks := _hooks(each))}
    if not ours:
        what = f"no receiver posts to {PATH}"
        return (bad(about, what, f"add a webhook_configs with url http://RESPONDER{PATH} (deploy/alertmanager.yml)"),)
    root = route(config.get("route") or {}, None, parse)
    used = [each for each in _all(root) if each.receiver in ours]
    results = [result for name, hooks in ours.items() for hook in hooks for result in _hook(about, name, hook, used)]
    if not used:
        change = f"name the receiver {min(ours)} in a route"
        return (*results, bad(about, "no route leads to our receiver", change))
    results += [result for each in used for result in _times(about, each)]
    results += _awaited(about, used, given)
    results += _watchdog(about, root, set(ours), heartbeats, predicate)
    if not any(each.receiver in ours for each in follow(root, {"alertname": "Any", "severity": "critical"}, predicate)):
        what = "an alert that no route names does not reach us"
        results.append(warn(about, what, "make our receiver that of the root route: the rules decide who is told"))
    return tuple(results) or (ok(about, f"sends to us by {', '.join(sorted(ours))}"),)


def route(given: Mapping[str, Any], parent: Route | None, parse: Parse) -> Route:
    """A route and all below it. Raises ValueError for a matcher or a time that cannot be read."""
    base = parent or Route("")
    matchers = [matcher for text in given.get("matchers") or [] for matcher in parse(str(text))]
    matchers += [Matcher(str(name), Op.EQUAL, str(value)) for name, value in (given.get("match") or {}).items()]
    matchers += [Matcher(str(name), Op.REGEX, str(value)) for name, value in (given.get("match_re") or {}).items()]
    here = Route(
        receiver=str(given.get("receiver") or base.receiver),
        matchers=tuple(matchers),
        goes_on=bool(given.get("continue", False)),
        group_by=tuple(given["group_by"]) if given.get("group_by") else base.group_by,
        group_interval=seconds(given["group_interval"]) if "group_interval" in given else base.group_interval,
        repeat_interval=seconds(given["repeat_interval"]) if "repeat_interval" in given else base.repeat_interval,
    )
    children = tuple(route(each, here, parse) for each in given.get("routes") or [])
    return Route(
        here.receiver, here.matchers, here.goes_on, here.group_by, here.group_interval, here.repeat_interval, children
    )


def follow(here: Route, labels: Mapping[str, str], predicate: Predicate) -> list[Route]:
    """The routes that an alert takes, as Alertmanager decides it (dispatch/route.go, Match)."""
    if not all(predicate(matcher)(labels.get(matcher.name, "")) for matcher in here.matchers):
        return []
    found: list[Route] = []
    for child in here.children:
        below = follow(child, labels, predicate)
        found += below
        if below and not child.goes_on:
            break
    return found or [here]


def _all(here: Route) -> Iterator[Route]:
    yield here
    for child in here.children:
        yield from _all(child)


def _hooks(receiver: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Its webhooks that are ours; one whose address is hidden counts where the receiver's name says so."""
    hooks = [hook for hook in receiver.get("webhook_configs") or [] if isinstance(hook, dict)]
    named = "responder" in str(receiver.get("name"))
    return [hook for hook in hooks if _ours(str(hook.get("url", ""))) or (named and hook.get("url") == HIDDEN)]


def _ours(url: str) -> bool:
    path = urlsplit(url).path
    return path == PATH or path.startswith(f"{PATH}/")


def _hook(about: str, name: str, hook: Mapping[str, Any], used: list[Route]) -> Iterator[Result]:
    beats = [each for each in used if each.receiver == name]
    only_watchdogs = bool(beats) and all(_names_watchdog(each) for each in beats)
    if hook.get("send_resolved") is False and not only_watchdogs:
        what = f"receiver {name} does not send what is resolved"
        yield bad(about, what, "write send_resolved: true, or nothing ever ends")
    if hook.get("max_alerts"):
        what = f"receiver {name} sends at most {hook['max_alerts']} alerts"
        yield warn(about, what, "write max_alerts: 0; a truncated group cannot be resolved")
    if "http_config" not in hook or not {"authorization", "basic_auth"} & set(hook["http_config"] or {}):
        yield bad(about, f"receiver {name} sends no credentials", "give it http_config.authorization with our token")


def _names_watchdog(here: Route) -> bool:
    return any(each.name == "alertname" and "Watchdog" in each.value for each in here.matchers)


def _times(about: str, here: Route) -> Iterator[Result]:
    if here.group_by == ("...",):
        what = f"a route to {here.receiver} groups by '...': one incident for each alert"
        yield warn(about, what, "group by alertname, cluster and service")
    if here.group_interval > _LONG_GROUP:
        what = f"a route to {here.receiver} has a group_interval of {here.group_interval / 60:.0f} min"
        yield warn(about, what, "use 5m or less: what changes is told, and what failed is tried again, so much later")
    if here.repeat_interval > _LONG_REPEAT:
        what = f"a route to {here.receiver} has a repeat_interval of {here.repeat_interval / 3600:.0f} h"
        yield warn(about, what, "use a few hours: a notification that was lost comes again only then")


def _awaited(about: str, used: list[Route], given: Settings) -> Iterator[Result]:
    """Whether we wait as long as a peer that lags needs to tell its own view, and not much longer."""
    longest = max(used, key=lambda each: each.group_interval)
    interval, ours = longest.group_interval, given.group_interval
    has = f"a route to {longest.receiver} has a group_interval of {interval:.0f} s"
    if interval > ours:
        change = f"set RESPONDER_GROUP_INTERVAL={interval:.0f}, or a lagging Alertmanager of a pair pages once more"
        yield warn(about, f"{has}, and RESPONDER_GROUP_INTERVAL is {ours}", change)
    elif interval < ours and ours > _USUAL_GROUP:
        what = f"no route to us has a group_interval over {interval:.0f} s, and RESPONDER_GROUP_INTERVAL is {ours}"
        yield warn(
            about, what, f"set RESPONDER_GROUP_INTERVAL={max(interval, _USUAL_GROUP):.0f}: contradictions wait so long"
        )
    if interval >= given.reconcile_grace:
        what = f"{has}, and RESPONDER_RECONCILE_GRACE is {given.reconcile_grace}"
        yield warn(about, what, f"set RESPONDER_RECONCILE_GRACE={2 * interval:.0f}: an end is notified so late")


def _watchdog(
    about: str, root: Route, ours: set[str], heartbeats: Sequence[ExpectedHeartbeat], predicate: Predicate
) -> Iterator[Result]:
    labels = {"alertname": "Watchdog", "severity": "none"}
    taken = [each for each in follow(root, labels, predicate) if each.receiver in ours]
    if not taken:
        level = bad if heartbeats else warn
        yield level(about, "the Watchdog does not reach us", "add a route for it (deploy/alertmanager.yml)")
        return
    if not heartbeats:
        yield warn(about, "the Watchdog arrives, and the rules expect none", "write heartbeats in the rule files")
        return
    # Alertmanager looks at repeat_interval only once in each group_interval.
    every = min(-(-each.repeat_interval // each.group_interval) * each.group_interval for each in taken)
    short = min(heartbeats, key=lambda each: each.max_gap)
    if short.max_gap < 2 * every:
        comes, gap = f"{every / 60:.0f} min", f"{short.max_gap / 60:.0f} min"
        what = f"the Watchdog comes every {comes}, and {short.cluster} may be silent for {gap} only"
        yield bad(about, what, "give its route a shorter repeat_interval and group_interval, or raise max_gap")
