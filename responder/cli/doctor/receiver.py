"""Check of Alertmanager's configuration: responder's webhook and the routes to it. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

from responder.model.check import Result, bad, ok, warn
from responder.model.rule import ExpectedHeartbeat, Matcher, Op
from responder.rulebook.field_types import seconds
from responder.settings import Settings
from responder.triage.matchers import parse, predicate

PATH: Final = "/webhook/alertmanager"
HIDDEN: Final = "<secret>"
#: Alertmanager's default of group_interval, in seconds.
_USUAL_GROUP_SECONDS: Final = 300.0
#: Seconds of group_interval above which there is a warning.
_LONG_GROUP_SECONDS: Final = 600.0
#: Seconds of repeat_interval above which there is a warning.
_LONG_REPEAT_SECONDS: Final = 24 * 3600.0

#: Subject of the results.
ABOUT: Final = "alertmanager"


@dataclass(frozen=True, slots=True)
class Route:
    """Route with inherited values. Times are seconds."""

    receiver: str
    matchers: tuple[Matcher, ...] = ()
    goes_on: bool = False
    group_by: tuple[str, ...] = ()
    group_interval: float = _USUAL_GROUP_SECONDS
    repeat_interval: float = 4 * 3600.0
    children: "tuple[Route, ...]" = field(default=())


def check_config(
    config: Mapping[str, Any],
    heartbeats: Sequence[ExpectedHeartbeat],
    given: Settings,
    team_labels: Collection[tuple[str, ...]] = (),
) -> tuple[Result, ...]:
    """Return all problems of the configuration. ``config`` is the parsed YAML of /api/v2/status.

    ``given`` are responder's settings, two of which must fit the routes. ``team_labels`` are the labels that name the
    team of an alert, in the order in which a rule tries them.
    """
    receivers = [each for each in config.get("receivers") or [] if isinstance(each, dict)]
    ours = {str(each.get("name")): hooks for each in receivers if (hooks := _hooks(each))}
    if not ours:
        what = f"no receiver sends to {PATH}"
        return (bad(ABOUT, what, f"add webhook_configs with url http://RESPONDER{PATH} (deploy/alertmanager.yml)"),)
    root = route(config.get("route") or {}, None)
    used = [each for each in _all(root) if each.receiver in ours]
    results = [result for name, hooks in ours.items() for hook in hooks for result in _hook(name, hook, used)]
    if not used:
        change = f"name the receiver {min(ours)} in a route"
        return (*results, bad(ABOUT, "no route uses responder's receiver", change))
    results += [result for each in used for result in _times(each)]
    results += [result for each in used for names in sorted(team_labels) for result in _teams(each, names)]
    results += _awaited(used, given)
    results += _watchdog(root, set(ours), heartbeats)
    if not any(each.receiver in ours for each in matching_routes(root, {"alertname": "Any", "severity": "critical"})):
        what = "alerts without a route of their own do not reach responder"
        results.append(warn(ABOUT, what, "make responder's receiver that of the root route; rules decide on severity"))
    return tuple(results) or (ok(ABOUT, f"sends to responder through {', '.join(sorted(ours))}"),)


def route(given: Mapping[str, Any], parent: Route | None = None) -> Route:
    """Parse a route and its children. Raises ValueError for an invalid matcher or time."""
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
    return replace(here, children=tuple(route(each, here) for each in given.get("routes") or []))


def matching_routes(here: Route, labels: Mapping[str, str]) -> list[Route]:
    """Return the routes of an alert, by Alertmanager's algorithm (dispatch/route.go, Match)."""
    if not all(predicate(matcher)(labels.get(matcher.name, "")) for matcher in here.matchers):
        return []
    found: list[Route] = []
    for child in here.children:
        below = matching_routes(child, labels)
        found += below
        if below and not child.goes_on:
            break
    return found or [here]


def _all(here: Route) -> Iterator[Route]:
    yield here
    for child in here.children:
        yield from _all(child)


def _hooks(receiver: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return responder's webhooks; one with a hidden URL counts if the receiver's name contains "responder"."""
    hooks = [hook for hook in receiver.get("webhook_configs") or [] if isinstance(hook, dict)]
    named = "responder" in str(receiver.get("name"))
    return [hook for hook in hooks if _ours(str(hook.get("url", ""))) or (named and hook.get("url") == HIDDEN)]


def _ours(url: str) -> bool:
    path = urlsplit(url).path
    return path == PATH or path.startswith(f"{PATH}/")


def _hook(name: str, hook: Mapping[str, Any], used: list[Route]) -> Iterator[Result]:
    heartbeats = [each for each in used if each.receiver == name]
    only_watchdogs = bool(heartbeats) and all(_names_watchdog(each) for each in heartbeats)
    if hook.get("send_resolved") is False and not only_watchdogs:
        what = f"receiver {name} has send_resolved: false"
        yield bad(ABOUT, what, "set send_resolved: true, or incidents never resolve")
    if hook.get("max_alerts"):
        what = f"receiver {name} sends at most {hook['max_alerts']} alerts"
        yield warn(ABOUT, what, "set max_alerts: 0; a truncated notification cannot resolve its incident")
    if "http_config" not in hook or not {"authorization", "basic_auth"} & set(hook["http_config"] or {}):
        yield bad(ABOUT, f"receiver {name} sends no credentials", "set http_config.authorization to responder's token")


def _names_watchdog(here: Route) -> bool:
    return any(each.name == "alertname" and "Watchdog" in each.value for each in here.matchers)


def _times(here: Route) -> Iterator[Result]:
    if here.group_by == ("...",):
        what = f"a route to {here.receiver} groups by '...': one incident per alert"
        yield warn(ABOUT, what, "group by alertname, cluster and service")
    if here.group_interval > _LONG_GROUP_SECONDS:
        what = f"a route to {here.receiver} has a group_interval of {here.group_interval / 60:.0f} min"
        yield warn(ABOUT, what, "use 5m or less: changes and retries are delayed by it")
    if here.repeat_interval > _LONG_REPEAT_SECONDS:
        what = f"a route to {here.receiver} has a repeat_interval of {here.repeat_interval / 3600:.0f} h"
        yield warn(ABOUT, what, "use a few hours: a lost notification is repeated only then")


def _teams(here: Route, names: tuple[str, ...]) -> Iterator[Result]:
    """Check that a route keeps the alerts of different teams apart."""
    fixed = {matcher.name for matcher in here.matchers if matcher.op is Op.EQUAL}
    if here.group_by != ("...",) and not {*here.group_by, *fixed} & {*names} and not _names_watchdog(here):
        what = f"a route to {here.receiver} does not group by {' or '.join(names)}, which names the team of an alert"
        yield warn(ABOUT, what, f"add {names[0]} to its group_by, or one incident may belong to several teams")


def _awaited(used: list[Route], given: Settings) -> Iterator[Result]:
    """Check that RESPONDER_GROUP_INTERVAL covers a lagging Alertmanager peer, and not much more."""
    longest = max(used, key=lambda each: each.group_interval)
    interval, ours = longest.group_interval, given.group_interval
    has = f"a route to {longest.receiver} has a group_interval of {interval:.0f} s"
    if interval > ours:
        change = f"set RESPONDER_GROUP_INTERVAL={interval:.0f}, or a lagging Alertmanager peer causes a second page"
        yield warn(ABOUT, f"{has}, but RESPONDER_GROUP_INTERVAL is {ours}", change)
    elif interval < ours and ours > _USUAL_GROUP_SECONDS:
        what = f"the longest group_interval is {interval:.0f} s, but RESPONDER_GROUP_INTERVAL is {ours}"
        seconds = max(interval, _USUAL_GROUP_SECONDS)
        change = f"set RESPONDER_GROUP_INTERVAL={seconds:.0f}: late notifications are held that long"
        yield warn(ABOUT, what, change)
    if interval >= given.reconcile_grace:
        what = f"{has}, but RESPONDER_RECONCILE_GRACE is {given.reconcile_grace}"
        yield warn(ABOUT, what, f"set RESPONDER_RECONCILE_GRACE={2 * interval:.0f}: resolves arrive up to that late")


def _watchdog(root: Route, ours: set[str], heartbeats: Sequence[ExpectedHeartbeat]) -> Iterator[Result]:
    labels = {"alertname": "Watchdog", "severity": "none"}
    taken = [each for each in matching_routes(root, labels) if each.receiver in ours]
    if not taken:
        level = bad if heartbeats else warn
        yield level(ABOUT, "the Watchdog is not routed to responder", "add a route for it (deploy/alertmanager.yml)")
        return
    if not heartbeats:
        yield warn(
            ABOUT,
            "the Watchdog is routed to responder, but no heartbeat is configured",
            "add `heartbeats:` to a rule file",
        )
        return
    # Alertmanager checks repeat_interval only once per group_interval.
    every = min(-(-each.repeat_interval // each.group_interval) * each.group_interval for each in taken)
    short = min(heartbeats, key=lambda each: each.max_gap)
    if short.max_gap < 2 * every:
        comes, gap = f"{every / 60:.0f} min", f"{short.max_gap / 60:.0f} min"
        what = f"the Watchdog arrives every {comes}, but max_gap of {short.cluster} is {gap}"
        yield bad(ABOUT, what, "shorten repeat_interval and group_interval of its route, or raise max_gap")
