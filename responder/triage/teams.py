"""Decide which channels and teams are notified of an alert, and why. Pure.

The values of an alert only choose among the teams of the rule files: nothing in an alert becomes a channel.
"""

from collections.abc import Sequence
from dataclasses import replace

from responder.model.alert import Alert
from responder.model.incident import RuleMatch
from responder.model.rule import Action, RuleBook
from responder.model.team import Route, TeamSource
from responder.model.text import sanitize_line
from responder.triage.subject import subject


def route_of_group(worst: RuleMatch, matches: Sequence[RuleMatch], book: RuleBook) -> Route:
    """Return the channels and teams of a group, for rule files that declare teams.

    ``worst`` decides. A team that only other alerts of the group belong to is notified as well.
    """
    found = route(worst, book)
    for match in () if _alike(worst, matches, book) else matches:
        if match.rule.action is not Action.NOTIFY:
            continue
        other = route(match, book)
        if new := [team for team in other.teams if team not in found.teams]:
            found = replace(
                found,
                channels=tuple(dict.fromkeys((*found.channels, *other.channels))),
                teams=(*found.teams, *new),
                reason=f"{found.reason}; team {', '.join(new)} by {other.reason} of another alert",
            )
    return found


def _alike(worst: RuleMatch, matches: Sequence[RuleMatch], book: RuleBook) -> bool:
    """Return True if all alerts of a group have the same route as the worst, as most groups of a thousand alerts do.

    False may also mean that it is not known.
    """
    names = set[str]()
    for source in worst.rule.teams:
        if source.owner:
            return False  # which service an alert is about depends on many of its labels
        names.update(source.names)
        if _team(source, worst, book)[0]:
            break
    alerts = [match.alert for match in matches if match.rule is worst.rule]
    return len(alerts) == len(matches) and all(
        len({alert.labels.get(name) or alert.annotations.get(name) for alert in (*alerts, worst.alert)}) == 1
        for name in names
    )


def route(match: RuleMatch, book: RuleBook) -> Route:
    """Return the channels and the team of one alert, in the order of the rule's sources."""
    rule, unknown = match.rule, ""
    team = by = ""
    for source in rule.teams:
        team, by, wrong = _team(source, match, book)
        unknown = unknown or wrong
        if team:
            break
    teams = (team,) if team else ()
    if rule.own_channels or not team:
        return Route(channels=rule.channels, reason=rule.channels_by, teams=teams, unknown=unknown)
    return Route(channels=book.teams[team].channels, reason=by, teams=teams, unknown=unknown)


def _team(source: TeamSource, match: RuleMatch, book: RuleBook) -> tuple[str, str, str]:
    """Return the team that a source names, the reason, and a value that names no team; each empty for none."""
    if source.owner:
        about = subject(match.alert.labels, book, match.rule.subject)
        service = book.services.get(about.service) if about.service else None
        owner = service.owner if service else ""
        return (owner, f"{source.by} {about.service}", "") if owner in book.teams else ("", "", "")
    unknown = ""
    for name in source.names:
        value = _value(match.alert, name)
        team = source.mapping.get(value) or (value if value in book.teams else "")
        shown = f'{name}="{sanitize_line(value, 60)}"'
        if team:
            return team, f"{source.by}, {shown}", unknown
        unknown = unknown or (shown if value else "")
    if not source.names or not source.team:
        return source.team, source.by, unknown
    why = f"{unknown} names no team" if unknown else f"no label {' or '.join(source.names)}"
    return source.team, f"{source.by}, otherwise: {why}", unknown


def _value(alert: Alert, name: str) -> str:
    return (alert.labels.get(name) or alert.annotations.get(name) or "").strip()
