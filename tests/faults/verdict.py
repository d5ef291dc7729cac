"""Checks at the end of a seed: each is a pure function from the evidence to its problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from responder.notify.delivery.route import pagers
from responder.store.outbox.claims import NOTHING_TO_RESOLVE
from tests.faults.door import Acknowledged
from tests.faults.evidence import Evidence
from tests.faults.stream import TOLD_IN_SLACK, Group
from tests.faults.timeline import reachable_seconds

#: Seconds a page may be later than its budget.
GRACE = 1.0
#: The incident about clients without a token, which some faults bring.
REFUSED_OUTSIDE = "responder-refused/outside"
#: Single pages of one severity in a flood: its limit of 6, three of the flooding name, and the unlike ones.
MOST_SINGLE = 11

Check = Callable[[Evidence], Iterator[str]]


@dataclass(frozen=True, slots=True)
class Page:
    """The page of one episode: seconds from the acknowledgement in which a page could leave; None if it never left."""

    group: str
    budget: float
    seconds: float | None


def judge(evidence: Evidence) -> list[str]:
    """Every way in which the promise was broken."""
    return [problem for check in CHECKS.values() for problem in check(evidence)]


def pages(evidence: Evidence) -> Iterator[Page]:
    """Time at which the page of each episode was sent, without groups of which PagerDuty rejected a message.

    A rejected page is sent again when PagerDuty accepts others, and has no time of its own.

    Incidents announced by a digest have the page of that digest, due since the first of them was acknowledged.
    """
    drowned: dict[str, list[tuple[float, float]]] = {}
    for group in evidence.groups:
        if group.budget is None or _refused(evidence, dedup_key(group), also_then=True):
            continue
        digest = _digest(evidence, group)
        for nth, kept in enumerate(_openings(evidence, group)):
            if digest:
                drowned.setdefault(digest, []).append((kept.answered, group.budget))
            else:
                yield Page(group.name, group.budget, _paged(evidence, dedup_key(group), nth, kept.answered))
    for digest, told in drowned.items():
        if not _given_up(evidence, {digest}, also_then=True):
            answered, budget = min(told)
            yield Page(digest, budget, _paged(evidence, key_of_digest(digest), 0, answered))


def _paged(evidence: Evidence, key: str, nth: int, answered: float) -> float | None:
    opened = [each.opened for each in evidence.pager if each.dedup_key == key]
    if nth >= len(opened):
        return None
    return reachable_seconds(answered, max(opened[nth], answered), list(evidence.spans))


def _openings(evidence: Evidence, group: Group) -> Iterator[Acknowledged]:
    """The first webhook of each episode of a group."""
    first = group.alerts[0].name
    for started in evidence.starts.get(first, ()):
        heard = [each for each in evidence.kept if (first, started) in each.firing]
        yield from sorted(heard, key=lambda each: each.answered)[:1]


def dedup_key(group: Group) -> str:
    """The dedup key of a group: what Alertmanager's own notifier uses."""
    return sha256(group.group_key.encode()).hexdigest()


def key_of_digest(digest: str) -> str:
    """The dedup key of a digest, by its id."""
    return sha256(f"responder/{digest}".encode()).hexdigest()


def _digest(evidence: Evidence, group: Group) -> str:
    """The digest that first announced a group, empty if none did."""
    key = dedup_key(group)
    return next((each.digest for each in evidence.incidents if each.dedup_key == key and each.digest), "")


def _acknowledged(evidence: Evidence) -> Iterator[str]:
    """Every alert of the stream was acknowledged in the end, in the state it has."""
    for group in evidence.groups:
        for alert in group.alerts:
            starts = evidence.starts.get(alert.name, ())
            if len(starts) < len(alert.episodes):
                yield f"{alert.name}: only {len(starts)} of {len(alert.episodes)} episodes were played"
            for started in starts:
                if not any((alert.name, started) in each.firing for each in evidence.kept):
                    yield f"{alert.name}: firing was never acknowledged"


def _kept(evidence: Evidence) -> Iterator[str]:
    """Acknowledged webhooks are in the database, byte for byte, and decided."""
    for each in evidence.kept:
        state, body = evidence.notifications.get(each.number, ("lost", b""))
        if state != "decided":
            yield f"webhook {each.number} was acknowledged and is {state}"
        elif body != each.body:
            yield f"webhook {each.number} was acknowledged and another body is in its place"


def _has_its_incident(evidence: Evidence) -> Iterator[str]:
    """Every alert that was acknowledged stands in an incident of its group."""
    for group in evidence.groups:
        ours = [each for each in evidence.incidents if each.dedup_key == dedup_key(group)]
        known = {name for each in ours for name in each.alerts}
        heard = [each for each in evidence.kept if each.group_key == group.group_key]
        for name, fingerprint in {pair for each in heard for pair in each.fingerprints.items()}:
            if fingerprint not in known:
                yield f"{name}: in no incident of its group"


def _rules_in_force(evidence: Evidence) -> Iterator[str]:
    """No incident was decided by rules that had been replaced before, whichever process decided it."""
    for outdated in evidence.outdated:
        for each in evidence.incidents:
            if each.revision == outdated.revision and each.id not in outdated.incidents:
                yield f"{each.id}: decided by revision {outdated.revision[:12]}, which was replaced before"


def _once(evidence: Evidence) -> Iterator[str]:
    """No incident is open twice, nor opened more often than the group fired; each belongs to a group.

    A clock that jumps ends the minutes for which late news are held back, and so may open one once more.
    """
    groups = {dedup_key(group): group for group in evidence.groups}
    stored = Counter(each.dedup_key for each in evidence.incidents)
    paged = Counter(each.dedup_key for each in evidence.pager)
    digests = {key_of_digest(each.digest) for each in evidence.incidents if each.digest}
    for key, number in [*stored.items(), *paged.items()]:
        group = groups.get(key.partition("-")[0])  # an incident that pages again has further keys
        if key in digests or key == REFUSED_OUTSIDE:
            continue
        if group is None:
            yield f"an incident that no group of the stream has: {key}"
        elif number > len(group.alerts[0].episodes) + evidence.jumped:
            yield f"{group.name}: {number} incidents for {len(group.alerts[0].episodes)} episodes"
    for key, group in groups.items():
        if paged[key] and not group.pages:
            yield f"{group.name}: {group.severity} paged"
        for what, open_ones in (
            ("in the database", [each for each in evidence.incidents if each.dedup_key == key and each.open]),
            ("at PagerDuty", [each for each in evidence.pager if each.dedup_key == key and each.open]),
        ):
            if len(open_ones) > 1:
                yield f"{group.name}: {len(open_ones)} incidents are open {what}"


def _right_in_the_end(evidence: Evidence) -> Iterator[str]:
    """Resolved incidents are resolved everywhere, firing ones open everywhere; a flapping one may be held open."""
    for group in evidence.groups:
        key = dedup_key(group)
        stored = [each for each in evidence.incidents if each.dedup_key == key]
        places = {"in the database": any(each.open for each in stored)}
        alone = any(each.alone for each in stored)
        if group.pages and alone and not _refused(evidence, key):
            places["at PagerDuty"] = any(each.open for each in evidence.pager if each.dedup_key == key)
        if group.severity in TOLD_IN_SLACK and alone and stored:
            places["in Slack"] = not _said_resolved(evidence, stored[-1].id)
        held = (group.flaps or evidence.jumped) and any(each.suppressed_by for each in stored)
        for place, is_open in places.items():
            if is_open == group.ends and not (held and is_open):
                yield f"{group.name}: {'resolved' if group.ends else 'firing'}, but not {place}"


def _refused(evidence: Evidence, key: str, *, also_then: bool = False) -> bool:
    """True if PagerDuty rejected a message about a group permanently: its state there is then unknown.

    ``also_then`` counts those that were accepted later, which another message had replaced meanwhile.
    """
    incidents = {each.id for each in evidence.incidents if each.dedup_key == key}
    return _given_up(evidence, incidents, also_then=also_then)


def _given_up(evidence: Evidence, incidents: set[str], *, also_then: bool = False) -> bool:
    then = {each.origin for each in evidence.messages} if also_then else set()
    ours = (each for each in evidence.messages if each.incident in incidents)
    return any(each.state == "dead" or each.number in then for each in ours)


def _said_resolved(evidence: Evidence, incident: str) -> bool:
    """True if a message about an incident reads as resolved. One that was sent twice may stay unchanged."""
    about = [each for each in evidence.slack if not each.thread_ts and incident in " ".join([each.text, *each.lines])]
    return any("Resolved after" in each.text or "RESOLVED" in each.text for each in about)


def _told_in_slack(evidence: Evidence) -> Iterator[str]:
    """Every incident whose rule names Slack was posted there."""
    for group in evidence.groups:
        for each in evidence.incidents:
            if each.dedup_key != dedup_key(group) or group.severity not in TOLD_IN_SLACK or not each.alone:
                continue
            if not any(each.id in " ".join([message.text, *message.lines]) for message in evidence.slack):
                yield f"{group.name}: {each.id} was never posted to Slack"


def _few_pages(evidence: Evidence) -> Iterator[str]:
    """In a flood there are few single pages, and what is unlike it has one. A clock that jumps ends a flood early."""
    drowned = [group for group in evidence.groups if _digest(evidence, group)]
    for group in drowned:
        if group.unlike:
            yield f"{group.name}: unlike the flood, and only in {_digest(evidence, group)}"
    paged = {each.dedup_key for each in evidence.pager}
    for severity in sorted({group.severity for group in drowned if group.pages}):
        single = sum(dedup_key(each) in paged for each in evidence.groups if each.severity == severity)
        if single > MOST_SINGLE and not evidence.jumped:
            yield f"{single} single pages of {severity} in a flood, at most {MOST_SINGLE} are expected"
    if any(group.unlike for group in evidence.groups) and not drowned:
        yield "no digest announced anything: there was no flood"


def _in_time(evidence: Evidence) -> Iterator[str]:
    """Every page left within its budget and a second, counted while a page could leave."""
    for page in pages(evidence):
        if page.seconds is None:
            yield f"{page.group}: never paged"
        elif page.seconds > page.budget + GRACE:
            yield f"{page.group}: paged after {page.seconds:.2f} s, its budget is {page.budget:g} s"


def _nothing_left(evidence: Evidence) -> Iterator[str]:
    """No message waits, and a page that was given up was sent through a fallback. Updates may have been merged.

    An update that is refused after the page has no fallback of its own: that of the page has reached someone.
    """
    fell_back = {each.incident for each in evidence.messages if each.state == "sent" and each.origin}
    paged = {each.dedup_key for each in evidence.pager}
    known = {each.id for each in evidence.incidents if each.dedup_key in paged}
    for each in evidence.messages:
        refused = each.state == "dead" and each.channel in pagers({})
        if refused and (each.incident in fell_back or each.incident in known):
            continue
        if each.state not in {"sent", "merged"} and each.error != NOTHING_TO_RESOLVE:
            yield f"message {each.number} of {each.incident} to {each.channel} is {each.state}: {each.error}"


def _acted(evidence: Evidence) -> Iterator[str]:
    """Each action of people in PagerDuty arrived and was applied to the incident that has its key."""
    for deed in evidence.deeds:
        ours = [each.id for each in evidence.incidents if each.dedup_key == deed.dedup_key.partition("-")[0]]
        states = {key: state for key, state in evidence.actions.items() if key.startswith(f"{deed.event}/")}
        if deed.event not in evidence.accepted:
            yield f"event {deed.event} of PagerDuty was never accepted"
        elif ours and not states:
            yield f"event {deed.event} of PagerDuty was accepted and is not stored"
        elif "new" in states.values():
            yield f"event {deed.event} of PagerDuty was never applied"


def _pressed(evidence: Evidence) -> Iterator[str]:
    """Each press that was answered is stored, and applied; Alertmanager has the silences that incidents show, once."""
    for press in evidence.presses:
        state = evidence.actions.get(press.key)
        if press.stored and state is None:
            yield f"a press in Slack on {press.incident} was answered and is not stored: {press.key}"
        elif state == "new":
            yield f"a press in Slack on {press.incident} was never applied: {press.key}"
    for incident, number in Counter(evidence.silences).items():
        if number > 1:
            yield f"{incident}: {number} silences in Alertmanager"
    for incident in sorted(evidence.silenced - set(evidence.silences)):
        yield f"{incident}: shown as silenced, and Alertmanager has no silence"


CHECKS: dict[str, Check] = {
    "acknowledged": _acknowledged,
    "nothing acknowledged is lost": _kept,
    "every alert has its incident": _has_its_incident,
    "decided by the rules in force": _rules_in_force,
    "none is open twice": _once,
    "resolved and firing as the stream is": _right_in_the_end,
    "posted to Slack": _told_in_slack,
    "few pages in a flood": _few_pages,
    "every page in time": _in_time,
    "nothing left": _nothing_left,
    "actions of people": _acted,
    "presses": _pressed,
}
