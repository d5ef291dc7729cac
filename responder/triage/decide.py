"""The decision about a notification: rule, severity, subject and change. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from json import dumps

from responder.model.alert import Alert, AlertGroup, Labels
from responder.model.incident import (
    AlertState,
    Change,
    ChangeKind,
    Decision,
    FindingAdjustment,
    GroupedAlert,
    Incident,
    RuleMatch,
    SeverityOverride,
    ShadowDecision,
)
from responder.model.rule import Action, Adjustment, Rule, RuleBook, Severity, SeverityFrom
from responder.model.text import sanitize_line
from responder.model.timing import USUAL, Timing
from responder.triage.lifecycle import compare, next_review
from responder.triage.matchers import matches
from responder.triage.paging_windows import is_open, opening
from responder.triage.rule_index import RuleIndex
from responder.triage.subject import other_subjects, subject
from responder.triage.teams import route_of_group


def decide(
    group: AlertGroup,
    book: RuleBook,
    matching: RuleIndex,
    incident: Incident | None,
    notification: int,
    now: datetime,
    timing: Timing = USUAL,
) -> Decision:
    """Decide about a notification of this group, as ``without_outdated`` returned it; ``now`` is when it was received.

    The incident's severity is the worst among the firing alerts (among all if none fires), never that of a heartbeat
    while the group contains anything else. The decisions of shadow rules are appended to the reason and change nothing.
    ``matching`` is built from ``book.rules``.
    """
    firing = len(group.firing) + group.truncated
    ruled = tuple(_rule_on(alert, book, matching, firing, now) for alert in group.alerts or (_stand_in(group),))
    deciding = [match for match in ruled if match.alert.firing] or list(ruled)
    ranked = sorted(deciding, key=_by_severity)
    worst = ranked[0]
    shadow = min((match.shadow for match in deciding if match.shadow is not None), key=_by_severity, default=None)
    known = incident.severity_override if incident is not None and incident.open else None
    worst, found = keep_override(worst, known, book)
    key = key_of(group, matching) if book.gathers else ""
    alone = Combined(compare(group, view(incident, group), notification, now, timing), worst)
    whole = combined(alone, key, ruled, group, incident, book, now, timing)
    worst, change = whole.match, whole.change
    name = sanitize_line(worst.alert.name, 100) or "an alert without a name"
    silent = suppressed_by(worst.rule, worst.severity, now)
    why = f"{name} matched rule {worst.rule.id}: {worst.severity.name} {worst.reason}"
    routed = route_of_group(worst, deciding, book) if book.teams else None
    to = routed.why if routed and routed.teams else ""
    about = subject(worst.alert.labels, book, worst.rule.subject)
    alertname = worst.alert.name
    alike = [each.alert.labels for each in ranked if each.rule is worst.rule and each.alert.name == alertname]
    also, uncounted = other_subjects(about, alike, worst.rule, book)
    return Decision(
        match=worst,
        matches=ruled,
        subject=about,
        also=also,
        uncounted=uncounted + (group.truncated if also else 0),
        change=change,
        reason="; ".join(filter(None, (why, to, f"{change.kind.value}: {change.reason}", silent, str(shadow or "")))),
        adjustments=adjustments(worst.rule, worst.alert.labels, worst.severity, firing, book, now),
        suppressed_by=silent,
        severity_override=found,
        key=key,
        gathered=whole.members,
        joins=whole.joins,
        shadow=shadow,
        routed=routed,
    )


def _rule_on(alert: Alert, book: RuleBook, matching: RuleIndex, firing: int, now: datetime) -> RuleMatch:
    labels = matching.labels_of(alert)
    rule = matching.first(labels)
    severity, reason = severity_of(rule, alert, book, firing)
    tried = matching.shadow(labels, rule)
    shadow = _shadow(tried, alert, book, firing, now) if tried else None
    return RuleMatch(alert=alert, rule=rule, severity=severity, reason=reason, shadow=shadow)


def _shadow(rule: Rule, alert: Alert, book: RuleBook, firing: int, now: datetime) -> ShadowDecision:
    severity, reason = severity_of(rule, alert, book, firing)
    return ShadowDecision(
        rule=rule, severity=severity, reason="; ".join(filter(None, (reason, suppressed_by(rule, severity, now))))
    )


def _by_severity(each: RuleMatch | ShadowDecision) -> tuple[bool, int, int]:
    """Sort key: the worst severity, then the worst word of the alert's own label; alerts without messages last."""
    wanted = each.rule.severity
    names = wanted.names if isinstance(wanted, SeverityFrom) else ("severity",)
    labels = each.alert.labels if isinstance(each, RuleMatch) else {}
    word = next(filter(None, map(labels.get, names)), "")
    own = _WORDS.get(word.casefold(), _WORDS["warning"])
    return each.rule.action is not Action.NOTIFY, each.severity.priority, own


#: Words for a severity with their place, the worst first; any other word counts as ``warning``.
_WORDS = {
    word: place
    for place, words in enumerate(
        (
            *("emergency emerg disaster p0 sev0", "fatal blocker", "critical crit urgent p1 sev1 sev-1 s1", "page"),
            *("error err p2 sev2 sev-2 s2", "high", "major", "warning warn medium average moderate p3 sev3 sev-3 s3"),
            *("minor", "low p4 sev4 sev-4 s4", "info information informational notice ticket p5 sev5", "none debug"),
        )
    )
    for word in words.split()
}


def severity_of(rule: Rule, alert: Alert, book: RuleBook, firing: int = 1) -> tuple[Severity, str]:
    """Return the severity that a rule gives an alert when ``firing`` alerts of its group fire, and the reason."""
    severity, reason = _base(rule, alert, book)
    if not rule.adjust:
        return severity, reason
    severity, moved = adjusted(rule, alert.labels, severity, firing, book)
    return severity, f"{reason}, {moved}" if moved else reason


def _base(rule: Rule, alert: Alert, book: RuleBook) -> tuple[Severity, str]:
    wanted = rule.severity
    if isinstance(wanted, str):
        return book.severities[wanted], "set by the rule"
    name, word = _word(wanted, alert)
    if not word:
        return book.severities[wanted.otherwise], f"because it has no label {' or '.join(wanted.names)}"
    known = wanted.mapping.get(word.casefold())
    if known is None:
        return book.severities[wanted.unknown], f"because {_shown(name, word)} is not understood"
    return book.severities[known], f"because {_shown(name, word)}"


def _word(wanted: SeverityFrom, alert: Alert) -> tuple[str, str]:
    """The label or annotation that gives the severity, and its word: the first understood, else the first there is."""
    first = ("", "")
    for name in wanted.names:
        word = (alert.labels.get(name) or alert.annotations.get(name) or "").strip()
        if word.casefold() in wanted.mapping:
            return name, word
        first = first if first[1] or not word else (name, word)
    return first


def unknown_word(rule: Rule, alert: Alert) -> str:
    """The word for the severity that the rule does not understand, as ``label="word"``; empty where there is none."""
    wanted = rule.severity
    if isinstance(wanted, str):
        return ""
    name, word = _word(wanted, alert)
    return _shown(name, word) if word and word.casefold() not in wanted.mapping else ""


@lru_cache(maxsize=1024)
def _shown(label: str, value: str) -> str:
    return f'{label}="{sanitize_line(value, 60)}"'


def _stand_in(group: AlertGroup) -> Alert:
    """Return a resolved alert with the labels of a group that came without alerts, so that a rule is found."""
    return Alert(
        firing=False,
        labels=group.common_labels or group.group_labels,
        annotations=group.common_annotations,
        starts_at=datetime.fromtimestamp(0, UTC),
        fingerprint="",
    )


def adjusted(rule: Rule, labels: Labels, severity: Severity, firing: int, book: RuleBook) -> tuple[Severity, str]:
    """Return the severity after the adjustments for labels and firing alerts, and the reason; empty if unchanged."""
    entry = applying(rule, labels, firing)
    if entry is None:
        return severity, ""
    moved = severity_after(entry, severity, book)
    return moved, _reason_of_change(entry, severity, moved, firing) if moved is not severity else ""


def applying(rule: Rule, labels: Labels, firing: int) -> Adjustment | None:
    """Return the first adjustment that applies, among those for labels and numbers of alerts."""
    return next((each for each in rule.adjust if not each.findings and _holds(each, labels, firing)), None)


def adjustments(
    rule: Rule, labels: Labels, severity: Severity, firing: int, book: RuleBook, now: datetime
) -> tuple[FindingAdjustment, ...]:
    """Return the severities that findings may lead to, in the order to try."""
    moves = [(each, severity_after(each, severity, book)) for each in rule.adjust if each.findings]
    return tuple(
        FindingAdjustment(findings=each.findings, severity=moved, suppressed_by=suppressed_by(rule, moved, now))
        for each, moved in moves
        if _holds(each, labels, firing)
    )


def keep_override(
    match: RuleMatch, found: SeverityOverride | None, book: RuleBook
) -> tuple[RuleMatch, SeverityOverride | None]:
    """Return the match with the severity that findings gave the incident, and the override that stays in force.

    The override ends when the rule gives a worse severity than before the findings; even then the worse of the two
    applies, so that bad news never lowers the severity of an incident.
    """
    severity = book.severities.get(found.severity) if found else None
    given = book.severities.get(found.given) if found else None
    if found is None or severity is None or given is None:
        return match, None
    if match.severity.priority < given.priority and match.severity.priority <= severity.priority:
        return match, None
    return replace(match, severity=severity, reason=found.reason), found


def suppressed_by(rule: Rule, severity: Severity, now: datetime) -> str:
    """Return why on-call is not paged now and when the paging window opens; empty if nothing holds the page."""
    window = rule.pages_in.get(severity.name) if severity.pages and rule.pages_in else None
    if window is None or is_open(window, now):
        return ""
    return f"not paged outside of {window.name}, which {opening(window, now)}"


def severity_after(adjustment: Adjustment, severity: Severity, book: RuleBook) -> Severity:
    """Return the severity after one adjustment. Severities are ordered worst first."""
    order = list(book.severities.values())
    if adjustment.to:
        to = book.severities[adjustment.to]
        further = to.priority < severity.priority if adjustment.raises else to.priority > severity.priority
        return to if further else severity
    at = order.index(severity) + (-adjustment.steps if adjustment.raises else adjustment.steps)
    return order[min(max(at, 0), len(order) - 1)]


def _holds(adjustment: Adjustment, labels: Labels, firing: int) -> bool:
    return firing >= adjustment.firing and all(matches(matcher, labels) for matcher in adjustment.matchers)


def _reason_of_change(adjustment: Adjustment, before: Severity, after: Severity, firing: int) -> str:
    why = [str(matcher) for matcher in adjustment.matchers]
    if adjustment.firing:
        why.append(f"{firing} alerts fire (threshold {adjustment.firing})")
    word = "raised" if adjustment.raises else "lowered"
    return f"{word} from {before.name} to {after.name} because {' and '.join(why)}"


#: Prefix, in place of a fingerprint, for the alerts of a group that ``max_alerts`` cut off: they may still fire.
_CUT = "cut off by max_alerts: "


def key_of(group: AlertGroup, matching: RuleIndex) -> str:
    """Return the key of the incident that this group is gathered into: 64 hex digits, empty if it is not gathered.

    The key covers the labels' names and values and the cluster, not the rule: rules with the same ``incident_key``
    gather into one incident.
    """
    pairs: tuple[tuple[str, str], ...] = ()
    for alert in group.firing:
        names = matching.first(matching.labels_of(alert)).gather
        own = tuple((name, alert.labels.get(name, "")) for name in names)
        if not own or not all(value for _, value in own) or own != (pairs or own):
            return ""
        pairs = own
    return sha256(f"incident_key\n{group.cluster}\n{dumps(pairs)}".encode()).hexdigest() if pairs else ""


@dataclass(frozen=True, slots=True)
class Combined:
    """The meaning of a notification of one group for its incident.

    ``match`` has the worst severity of all groups. ``members`` is empty for an incident of one group. ``joins`` is
    True if another group gave the incident its severity.
    """

    change: Change
    match: RuleMatch
    members: Mapping[str, GroupedAlert] = field(default_factory=dict)
    joins: bool = False


def combined(
    alone: Combined,
    key: str,
    matches: Sequence[RuleMatch],
    group: AlertGroup,
    incident: Incident | None,
    book: RuleBook,
    now: datetime,
    timing: Timing = USUAL,
) -> Combined:
    """Return the meaning of a notification for an incident of several groups; ``alone`` if its incident has one group.

    ``alone`` is its meaning for the group, ``key`` the incident key of the group by its rules.
    """
    still_open = incident is not None and incident.open
    if not (incident is not None and incident.gathered) and (not key or still_open):
        return alone
    change = _merged(alone.change, incident, group, now, timing)
    members = _members(change, incident, group, matches, alone.match.severity.name)
    other = _worse_of_another_group(alone.match, change, members, group, book)
    before = book.severities.get(incident.severity) if incident is not None and still_open else None
    as_severe = before is not None and before.priority <= alone.match.severity.priority
    return Combined(change, other or alone.match, members, joins=still_open and (other is not None or as_severe))


def view(incident: Incident | None, group: AlertGroup) -> Incident | None:
    """Return the incident reduced to the alerts of one of its groups."""
    if incident is None or not incident.gathered:
        return incident
    own = {
        name: known
        for name, known in incident.alerts.items()
        if _is_of(incident, name, group) and not name.startswith(_CUT)
    }
    return replace(incident, alerts=own)


def _merged(
    change: Change, incident: Incident | None, group: AlertGroup, now: datetime, timing: Timing = USUAL
) -> Change:
    """Return the change of the whole incident: it is resolved only if no other group of it fires."""
    others = _others(incident, group, change)
    alerts = {**others, **change.alerts}
    if group.truncated:
        alerts[_CUT + group.dedup_key] = AlertState(now.timestamp())
    firing = sum(known.ends_at is None for known in others.values())
    if firing and not group.firing and not group.truncated:
        # Alerts of this group that are no longer listed would keep the incident open for ever.
        ended = {
            name: replace(known, ends_at=known.ends_at or now.timestamp()) for name, known in change.alerts.items()
        }
        kind = ChangeKind.PARTLY_RESOLVED if change.resolved else change.kind
        if kind in {ChangeKind.RESOLVED, ChangeKind.HELD}:
            kind = ChangeKind.REPEATED
        reason = f"{change.reason}, and {firing} of other groups of the incident still fire"
        change = replace(change, kind=kind, reason=reason, resolve_reason="", resolve_at=None)
        alerts = {**others, **ended}
    elif others and change.kind is ChangeKind.GROWN and not _has(incident, group):
        change = replace(change, reason=f"another group joined: {change.reason}")
    return replace(change, alerts=alerts, review_at=next_review(alerts, change.resolve_at, timing))


def _members(
    change: Change, incident: Incident | None, group: AlertGroup, matches: Sequence[RuleMatch], worst: str
) -> Mapping[str, GroupedAlert]:
    """Return, for each alert known after the change, its group and the severity that its rule gave."""
    before = incident.gathered if incident is not None else {}
    own = {each.alert.fingerprint: GroupedAlert(group.dedup_key, each.severity.name) for each in matches}
    cut = GroupedAlert(group.dedup_key, worst)
    return {name: own.get(name) or before.get(name, cut) for name in change.alerts}


def _worse_of_another_group(
    match: RuleMatch, change: Change, gathered: Mapping[str, GroupedAlert], group: AlertGroup, book: RuleBook
) -> RuleMatch | None:
    """Return the match with the severity of another group of the incident if that is worse, else None."""
    firing = {
        gathered[name].severity
        for name, known in change.alerts.items()
        if known.ends_at is None and gathered[name].group != group.dedup_key
    }
    known = [book.severities[name] for name in firing if name in book.severities]
    worst = min(known, key=lambda each: each.priority, default=match.severity)
    if worst.priority >= match.severity.priority:
        return None
    reason = f"of another group of the incident; this one is {match.severity.name}, {match.reason}"
    return replace(match, severity=worst, reason=reason)


def _has(incident: Incident | None, group: AlertGroup) -> bool:
    return incident is not None and any(each.group == group.dedup_key for each in incident.gathered.values())


def _others(incident: Incident | None, group: AlertGroup, change: Change) -> Mapping[str, AlertState]:
    if incident is None or change.kind is ChangeKind.NEW:
        return {}
    return {name: known for name, known in incident.alerts.items() if not _is_of(incident, name, group)}


def _is_of(incident: Incident, name: str, group: AlertGroup) -> bool:
    member = incident.gathered.get(name)
    return member is not None and member.group == group.dedup_key
