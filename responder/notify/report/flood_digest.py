"""The digest of a flood: one page for many incidents, naming the biggest groups and what they share."""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256

import responder
from responder.model.clock import TITLE_LIMIT, short_duration, time_between
from responder.model.content import AlertExtract, DecisionRecord, IncidentContent, MessageFacts
from responder.model.finding import Conclusion
from responder.model.flood import FloodCounter
from responder.model.rule import RuleBook, Severity
from responder.model.text import cut, number_of
from responder.notify.report import content

_TOP = 5
#: Share of the incidents from which a label counts as common.
_MOST_OF = 0.5


def dedup_key(digest: str) -> str:
    """The dedup key of a digest: that of no Alertmanager group."""
    return sha256(f"responder/{digest}".encode()).hexdigest()


def digest(flood: FloodCounter, severity: Severity, book: RuleBook, now: datetime) -> IncidentContent:
    """The content of a digest: complete at any moment, and better the more incidents have come."""
    began = datetime.fromtimestamp(flood.began_at, UTC)
    shared = _shared(flood)
    groups = _groups(flood)
    biggest = _counts(groups, _TOP) if max(groups.values(), default=0) > 1 else "none, each is of another kind"
    record = DecisionRecord(
        title=_title(flood, severity, book, now),
        severity=severity.name,
        severity_reason=f"more than {severity.flood_above} new {severity.name} incidents within a minute",
        pagerduty_severity=severity.pagerduty,
        pages=severity.pages,
        service=_services(flood) or "several",
        environment=book.environment,
        namespace="",
        alertname=next(iter(sorted(flood.names, key=lambda name: -flood.names[name])), ""),
        impact="",
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
        rate_limit = max(1, severity.flood_above // 2)
        left = f"{open_now} still open, paged individually, at most {rate_limit} a minute"
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
    stem = f"[{severity.name}] Flood: {flood.counted} new incidents {lasted}, {_most(flood)}"
    return cut(stem, TITLE_LIMIT - len(tail))


def _most(flood: FloodCounter) -> str:
    """Return the biggest group of incidents, or that there is none: two of a kind are the least to be one."""
    groups = _groups(flood)
    if (size := max(groups.values(), default=0)) < 2:
        return "nothing in common" if not _shared(flood) else "each of another kind"
    return f"{'most' if size >= _MOST_OF * flood.counted else 'the largest group'} {_counts(groups, 1)}"


def _groups(flood: FloodCounter) -> Mapping[str, int]:
    """Return the incidents by name and subject, or by name alone where each name is about many subjects."""
    of_name, of_kind = max(flood.names.values(), default=0), max(flood.kinds.values(), default=0)
    return flood.names if of_name >= 2 * of_kind else flood.kinds


def _incidents(count: int, severity: Severity) -> str:
    return number_of(count, f"{severity.name} incident")


def _counts(counts: Mapping[str, int], most: int) -> str:
    biggest = sorted(counts, key=lambda key: (-counts[key], key))[:most]
    more = f" and {len(counts) - most} more" if len(counts) > most > 1 else ""
    return ", ".join(f"{cut(key, 60)} ({counts[key]})" for key in biggest) + more


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
    often = [pair for pair, count in flood.labels.items() if count >= _MOST_OF * flood.counted]
    often.sort(key=lambda pair: (-flood.labels[pair], pair))
    return ", ".join(f"{cut(pair, 80)} ({_part(flood.labels[pair], flood.counted)})" for pair in often[: 2 * _TOP])


def _part(count: int, of: int) -> str:
    return "all" if count >= of else f"{count * 100 // of}%"


def _all_have(flood: FloodCounter) -> dict[str, str]:
    whole = (pair.partition("=") for pair, count in sorted(flood.labels.items()) if count >= flood.counted)
    return {name: value for name, _, value in whole}


def _services(flood: FloodCounter) -> str:
    return next(iter(flood.services)) if len(flood.services) == 1 else ""


def _first_step(flood: FloodCounter) -> str:
    """Return the first step: check the narrowest label that most incidents share."""
    for telling in ("node", "instance", "cluster", "namespace"):
        often = [
            pair
            for pair, count in flood.labels.items()
            if pair.startswith(f"{telling}=") and count >= _MOST_OF * flood.counted
        ]
        if often:
            return f"Check {often[0].replace('=', ' ', 1)} first: most of the incidents share it."
    return "Find what the incidents have in common first: a node, a network, a database, a deployment."
