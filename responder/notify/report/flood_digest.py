"""The digest of a flood: one page for many incidents, naming the biggest groups and what they share."""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256

import responder
from responder.model.clock import TITLE_LIMIT, short_duration, time_between
from responder.model.finding import Conclusion
from responder.model.flood import FloodCounter
from responder.model.report import AlertExtract, DecisionRecord, IncidentContent, MessageFacts
from responder.model.rule import RuleBook, Severity
from responder.model.text import cut, number_of
from responder.notify.report import content

#: Values that a digest names, the most frequent ones.
_TOP = 5
#: Share of the incidents above which a group or a label is that of most.
_MOST_OF = 0.5
#: Incidents of one kind from which on they are named as a group in the title.
_GROUP = 3
#: Labels that say where a cause is to be looked for, the narrowest first.
_TELLING = ("node", "instance", "service", "namespace", "cluster")


def dedup_key(digest: str) -> str:
    """The dedup key of a digest: that of no Alertmanager group."""
    return sha256(f"responder/{digest}".encode()).hexdigest()


def digest(flood: FloodCounter, severity: Severity, book: RuleBook, now: datetime) -> IncidentContent:
    """Return the content of the digest of a flood so far."""
    began = datetime.fromtimestamp(flood.began_at, UTC)
    shared = _shared(flood)
    groups = _groups(flood)
    biggest = _counts(groups, flood.counted) or "none, each is of another kind"
    record = DecisionRecord(
        title=_title(flood, severity, book, now),
        severity=severity.name,
        severity_reason=f"more than {severity.flood_above} new {severity.name} incidents within a minute",
        pagerduty_severity=severity.pagerduty,
        pages=severity.pages,
        service=_services(flood) or "several",
        environment=book.environment,
        alertname=next(iter(sorted(flood.names, key=lambda name: -flood.names[name])), ""),
        first_step=_first_step(flood),
        response=severity.response,
        responders=severity.responders,
        respond_within=severity.respond_within,
        respond_from=began,
        next_update=severity.next_update,
        lead=content.lead(book),
        escalation=content.escalation(book),
        templates=severity.templates,
        rule="flood",
        made_by=f"flood_above {severity.flood_above} (rules {book.revision[:12]}, responder {responder.__version__})",
    )
    alerts = AlertExtract(
        summary=f"{_incidents(flood.counted, severity)} since {began:%H:%M:%S} UTC, too many to page individually. "
        f"Biggest groups: {biggest}.{_alone(flood)}",
        counted=False,
        started_at=began,
        related=f"labels in common: {shared}" if shared else "no labels in common",
        labels=_all_have(flood),
    )
    conclusion = Conclusion(unknown="no probes run for the incidents of this digest")
    return IncidentContent(incident=flood.digest, decision=record, alerts=alerts, conclusion=conclusion)


def opening_facts(flood: FloodCounter) -> MessageFacts:
    """The facts of a digest's first message."""
    return MessageFacts(firing=flood.counted)


def update_facts(flood: FloodCounter, severity: Severity, now: datetime) -> MessageFacts:
    """The facts of an update while a flood is active."""
    began = datetime.fromtimestamp(flood.began_at, UTC)
    update = f"{_incidents(flood.counted, severity)} in {time_between(began, now)}"
    return MessageFacts(update=update, firing=flood.counted)


def end_facts(flood: FloodCounter, severity: Severity, *, open_now: int, rate: int, now: datetime) -> MessageFacts:
    """The facts of the end of a flood: how many of its incidents are still open, and what becomes of them."""
    if not open_now:
        left = "all resolved"
    elif severity.pages:
        pages_per_minute = max(1, severity.flood_above // 2)
        left = f"{open_now} still open, paged individually, at most {pages_per_minute} a minute"
    else:
        left = f"{open_now} still open, without individual messages"
    every = f"{_incidents(flood.counted, severity)}, {_elsewhere(flood)}{left}"
    update = f"flood ended: {rate} new in the last minute; {every}"
    return MessageFacts(
        update=update,
        firing=open_now,
        resolved=max(0, flood.in_digest - open_now),
        resolution=update,
        ended_at=now,
    )


def _title(flood: FloodCounter, severity: Severity, book: RuleBook, now: datetime) -> str:
    seconds = now.timestamp() - flood.began_at
    lasted = f"in {short_duration(seconds)}" if seconds >= 1 else "within a second"
    tail = f" ({book.environment})" if book.environment else ""  # the composer adds it
    stem = f"[{severity.name}] Flood: {number_of(flood.counted, 'new incident')} {lasted}, {_most(flood)}"
    return cut(stem, TITLE_LIMIT - len(tail))


def _most(flood: FloodCounter) -> str:
    """Return what most incidents are or share, else the biggest group, else that there is none."""
    groups = _groups(flood)
    biggest = min(groups, key=lambda key: (-groups[key], key), default="")
    size = groups.get(biggest, 0)
    named = f"{cut(biggest, 60)} ({size})"
    if size > max(1, _MOST_OF * flood.counted):
        return f"most {named}"
    label, value, part = _narrowest(flood)
    if label and label != "cluster":
        return f"{part} with {label} {cut(value, 60)}"
    if size >= _GROUP:
        return f"the largest group {named}"
    if size > 1:
        return "of many kinds"
    return "each of another kind" if _shared(flood) else "nothing in common"


def _groups(flood: FloodCounter) -> Mapping[str, int]:
    """Return the incidents by name and subject, or by name alone where each name is about many subjects."""
    of_name, of_kind = max(flood.names.values(), default=0), max(flood.kinds.values(), default=0)
    return flood.names if of_name >= 2 * of_kind else flood.kinds


def _incidents(count: int, severity: Severity) -> str:
    return number_of(count, f"{severity.name} incident")


def _counts(counts: Mapping[str, int], of: int) -> str:
    """Return the biggest groups of two and more, and how many kinds there are beside them; empty without one."""
    biggest = sorted((key for key in counts if counts[key] > 1), key=lambda key: (-counts[key], key))[:_TOP]
    listed, others = ", ".join(f"{cut(key, 60)} ({counts[key]})" for key in biggest), len(counts) - len(biggest)
    if not biggest or not others:
        return listed
    counted = "more than " if sum(counts.values()) < of else ""  # the kinds of a long flood are not all kept
    return f"{listed} and {counted}{number_of(others, 'more kind' if not counted else 'other kind')}"


def _alone(flood: FloodCounter) -> str:
    alone = flood.counted - flood.in_digest
    return f" {alone} of them had {_own(alone)}." if alone else ""


def _elsewhere(flood: FloodCounter) -> str:
    """Return the incidents of the flood that were paged individually."""
    alone = flood.counted - flood.in_digest
    return f"of which {alone} had {_own(alone)}; the other {flood.in_digest}: " if alone else ""


def _own(count: int) -> str:
    return "pages of their own" if count > 1 else "a page of its own"


def _shared(flood: FloodCounter) -> str:
    """``cluster=prod-eu (all), node=worker-7 (94 %)``: what most of the incidents have in common."""
    often = sorted(_common(flood), key=lambda pair: (-flood.labels[pair], pair))
    return ", ".join(f"{cut(pair, 80)} ({_part(flood.labels[pair], flood.counted)})" for pair in often[: 2 * _TOP])


def _common(flood: FloodCounter) -> list[str]:
    return [pair for pair, count in flood.labels.items() if count > _MOST_OF * flood.counted]


def _narrowest(flood: FloodCounter) -> tuple[str, str, str]:
    """Return the narrowest label that most incidents share: its name, its value, and ``all`` or ``most``."""
    shared = {name: (value, pair) for pair in _common(flood) for name, _, value in [pair.partition("=")]}
    label = next((each for each in _TELLING if each in shared), "")
    value, pair = shared.get(label, ("", ""))
    return label, value, "all" if flood.labels.get(pair, 0) >= flood.counted else "most"


def _part(count: int, of: int) -> str:
    return "all" if count >= of else f"{count * 100 // of}%"


def _all_have(flood: FloodCounter) -> dict[str, str]:
    whole = (pair.partition("=") for pair, count in sorted(flood.labels.items()) if count >= flood.counted)
    return {name: value for name, _, value in whole}


def _services(flood: FloodCounter) -> str:
    return next(iter(flood.services)) if len(flood.services) == 1 else ""


def _first_step(flood: FloodCounter) -> str:
    """Return the first step: check the narrowest label that most incidents share."""
    label, value, part = _narrowest(flood)
    if label:
        return f"Check {label} {value} first: {part} of the incidents share it."
    return "Find what the incidents have in common first: a node, a network, a database, a deployment."
