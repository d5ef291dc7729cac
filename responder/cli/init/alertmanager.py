"""Channels and teams from the receivers and routes of an ``alertmanager.yml``."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Any, Final

from responder.cli.errors import FatalError
from responder.cli.stubs import quoted
from responder.model.rule import Matcher, MatcherError, Op
from responder.model.secret import Secret
from responder.notify.channels import CHANNELS
from responder.notify.contract import Use
from responder.rulebook.prometheus_rules import NotReadableError, documents
from responder.triage.matchers import parse

#: Labels that routes use to page or not; here the severities of the rules decide it.
_SEVERITIES: Final = {"severity", "priority", "level"}
#: Kinds of channels by the key that Alertmanager gives their receivers.
_KINDS: Final = {
    each.alertmanager_receiver: (name, each)
    for name, each in CHANNELS.items()
    if each.alertmanager_receiver and each.destination
}
_BY_FALLBACK: Final = sorted(
    (each.fallback_order, name)
    for name, each in CHANNELS.items()
    if each.use is Use.RULES and each.fallback_order is not None
)
#: The channels of the settings that a team without receivers gets: the first that pages, and the first that does not.
_PAGER: Final = next(name for _, name in _BY_FALLBACK if CHANNELS[name].pages)
_CHAT: Final = next(name for _, name in _BY_FALLBACK if not CHANNELS[name].pages)
#: What to do about receivers that no channel replaces.
_INSTEAD: Final = {
    "msteams_configs": "Microsoft has retired its connectors; make a workflow, and add a channel for it by hand",
    "webhook_configs": "its receiver reads Alertmanager's JSON; add a channel by hand if it can read responder's",
}


@dataclass(slots=True)
class CarriedOver:
    """Channels and teams by name; ``by`` maps labels to their values and teams.

    ``left`` says what was not carried over; ``secrets`` are the names of secrets with where Alertmanager has them.
    """

    channels: dict[str, str] = field(default_factory=dict)
    teams: dict[str, list[str]] = field(default_factory=dict)
    by: dict[str, dict[str, str]] = field(default_factory=dict)
    otherwise: str = ""
    left: list[str] = field(default_factory=list)
    secrets: dict[str, str] = field(default_factory=dict)


def carry_over(source: str, raw: bytes) -> CarriedOver:
    """Read the receivers and routes. Raises FatalError if the text is no configuration of Alertmanager."""
    try:
        given = next(iter(documents(raw)), None)
    except NotReadableError as error:
        raise FatalError(f"{source}: {error}") from error
    if not isinstance(given, dict) or not isinstance(given.get("route"), dict):
        raise FatalError(f"{source}: no configuration of Alertmanager: it has no route")
    receivers = {str(each.get("name")): each for each in _dicts(given.get("receivers"))}
    found = CarriedOver()
    root = given["route"]
    found.otherwise = _team(found, str(root.get("receiver", "default")), _reached(root, ""), receivers)
    for child in _dicts(root.get("routes")):
        _route(found, child, str(root.get("receiver", "")), receivers)
    used = {name for name, _ in _routes(root, "")}
    found.left += [f"receiver {name}: no route leads to it" for name in receivers if name not in used]
    kept = [key for key in ("inhibit_rules", "time_intervals", "mute_time_intervals") if given.get(key)]
    found.left += [f"{key}: keep it in Alertmanager" for key in kept]
    if given.get("templates"):
        found.left.append("templates: responder writes its own messages")
    return found


def _route(found: CarriedOver, route: Mapping[str, Any], inherited: str, receivers: Mapping[str, Any]) -> None:
    """Make a team of a route that selects values of one label; report any other route."""
    receiver = str(route.get("receiver") or inherited)
    matchers = [each for each in _matchers(route) if each.name not in _SEVERITIES]
    shown = ", ".join(map(str, _matchers(route))) or "no matchers"
    values = _values(matchers[0]) if len(matchers) == 1 else []
    if not matchers:
        if receiver != inherited:
            found.left.append(f"route {{{shown}}} to {receiver}: the severities of the rules decide what pages")
        for child in _dicts(route.get("routes")):
            _route(found, child, receiver, receivers)
        return
    if not any(_notifies(receivers.get(each)) for each in _reached(route, inherited)):
        found.left.append(
            f"route {{{shown}}} to {receiver}, which has no target: keep it in Alertmanager, or write a rule with "
            "`action: drop`"
        )
        return
    if not values:
        found.left.append(f"route {{{shown}}} to {receiver}: write a rule with these matchers and `team:`")
        return
    if "alertname" in {each.name for each in matchers}:
        found.left.append(f"route {{{shown}}} to {receiver}: write a rule for the alert and `team:`")
        return
    team = _team(found, values[0] if len(values) == 1 else receiver, _reached(route, inherited), receivers)
    label = found.by.setdefault(matchers[0].name, {})
    for value in values:
        if any(other.get(value, team) != team for other in found.by.values()):
            found.left.append(f"route {{{shown}}} to {receiver}: {value!r} has a team already")
        else:
            label[value] = team
    if route.get("continue") == "true":
        found.left.append(f"route {{{shown}}}: continue: an alert has one team; list all channels in it")
    for key in ("active_time_intervals", "mute_time_intervals"):
        if route.get(key):
            found.left.append(f"route {{{shown}}}: {key}: write a window and `pages_in:`")
    for child in _dicts(route.get("routes")):
        if any(each.name not in _SEVERITIES for each in _matchers(child)):
            inner = ", ".join(map(str, _matchers(child)))
            found.left.append(
                f"route {{{shown}, {inner}}} to {child.get('receiver') or receiver}: write a rule with these matchers "
                "and `team:`"
            )


def _notifies(receiver: Mapping[str, Any] | None) -> bool:
    """Return True for a receiver with a target; also for one that the file does not declare."""
    return receiver is None or any(value for key, value in receiver.items() if key.endswith("_configs"))


def _reached(route: Mapping[str, Any], inherited: str) -> list[str]:
    """Return the receivers of a route and of its children that differ in the severity only."""
    receiver = str(route.get("receiver") or inherited)
    inner = (
        _reached(child, receiver)
        for child in _dicts(route.get("routes"))
        if all(each.name in _SEVERITIES for each in _matchers(child))
    )
    return list(dict.fromkeys([receiver, *chain.from_iterable(inner)]))


def _routes(route: Mapping[str, Any], inherited: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    receiver = str(route.get("receiver") or inherited)
    yield receiver, route
    for child in _dicts(route.get("routes")):
        yield from _routes(child, receiver)


def _team(found: CarriedOver, wanted: str, names: list[str], receivers: Mapping[str, Any]) -> str:
    """Add a team with the channels of receivers, or return the one of this name."""
    team = _name(wanted)
    channels = list(
        dict.fromkeys(channel for name in names for channel in _channels(found, name, receivers.get(name, {})))
    )
    if not channels:
        channels = [_CHAT] if team != found.otherwise else [_PAGER, _CHAT]
        found.left.append(f"receiver {', '.join(names)}: no channel of its own; team {team} uses {', '.join(channels)}")
    elif not any(_reads_all(found, each) for each in channels):
        channels = [*channels, _CHAT]
        found.left.append(f"team {team} has channels that page only: {_CHAT} is added for alerts that do not page")
    found.teams.setdefault(team, [])
    found.teams[team] += [each for each in channels if each not in found.teams[team]]
    return team


def _reads_all(found: CarriedOver, channel: str) -> bool:
    """Return True if a channel also shows alerts that do not page."""
    return not any(
        found.channels[channel].startswith(f"{{kind: {name},") for name, each in CHANNELS.items() if each.pages
    )


def _channels(found: CarriedOver, name: str, receiver: Mapping[str, Any]) -> Iterator[str]:
    for key in sorted(each for each in receiver if each.endswith("_configs")):
        configs = _dicts(receiver[key])
        if key not in _KINDS:
            why = _INSTEAD.get(key, "no such kind of channel; add one of another kind by hand")
            found.left += [f"receiver {name}, {key}: {why}"] * len(configs)
            continue
        kind, channel_class = _KINDS[key]
        own, setting = channel_class.destination_key()
        for number, config in zip(count(1), configs, strict=False):
            stem = f"{_name(name).removesuffix(f'-{kind}')}-{kind}"
            channel = stem if number == 1 else f"{stem}-{number}"
            to = str(config.get(own, ""))
            if setting.kind is Secret:
                found.secrets[channel] = f"{own} of receiver {name}, or its file"
                found.channels[channel] = f"{{kind: {kind}, {own}: {{secret: {channel}}}}}"
            elif not to or "{{" in to:
                found.left.append(f"receiver {name}, {key}: its {own} is a template; add a channel by hand")
                continue
            else:
                value = f"{{kind: {kind}, {own}: {quoted(to)}}}"
                # Receivers that send to one place are one channel: a team with two of them gets each message once.
                channel = next((each for each, known in found.channels.items() if known == value), channel)
                found.channels[channel] = value
            yield channel


def text(found: CarriedOver, source: str) -> str:
    """Return the rule file with the channels and teams, and a comment for each thing that was not carried over."""
    lines = [f"# Channels and teams, from {source}.", "# yaml-language-server: $schema=schema.json"]
    lines += [f"# Not carried over: {' '.join(each.split())}" for each in found.left]
    if found.channels:
        lines += ["channels:", *(f"  {name}: {value}" for name, value in found.channels.items())]
    lines += ["teams:", *(f"  {name}: {{channels: [{', '.join(names)}]}}" for name, names in found.teams.items())]
    return "\n".join(lines) + "\n"


def team_of_platform(found: CarriedOver) -> str:
    """Return the key ``team`` of the platform, as YAML."""
    if not found.by:
        return f"team: {found.otherwise}"
    pairs = {value: team for by in found.by.values() for value, team in by.items() if value != team}
    mapped = f", map: {{{', '.join(f'{quoted(value)}: {team}' for value, team in pairs.items())}}}" if pairs else ""
    return f"team: {{from: [{', '.join(map(quoted, found.by))}]{mapped}, otherwise: {found.otherwise}}}"


def _matchers(route: Mapping[str, Any]) -> list[Matcher]:
    """Return the matchers of a route, in the three forms that Alertmanager reads."""
    found = [Matcher(name, Op.EQUAL, str(value)) for name, value in (route.get("match") or {}).items()]
    found += [Matcher(name, Op.REGEX, str(value)) for name, value in (route.get("match_re") or {}).items()]
    for each in route.get("matchers") or ():
        try:
            found += parse(str(each))
        except MatcherError as error:
            raise FatalError(f"the matcher {each!r} of a route cannot be read: {error.message}") from error
    return found


def _values(matcher: Matcher) -> list[str]:
    """Return the values that a matcher lists; empty if it is no list."""
    if matcher.op is Op.EQUAL:
        return [matcher.value] if matcher.value else []
    listed = matcher.value.removeprefix("^").removesuffix("$").removeprefix("(").removesuffix(")").split("|")
    return listed if matcher.op is Op.REGEX and all(re.fullmatch(r"[\w -]+", each) for each in listed) else []


def _name(text: str) -> str:
    """Return a name as channels and teams have it: lower case with dashes."""
    words = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return words if re.match("[a-z]", words) else f"team-{words}".rstrip("-")


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
