"""Everything a decision depends on: the rules in force, and the history of the incidents of a batch."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Connection

from responder.diagnose.contract import ProbeContext, ProbeKind, ProbeQuestion, Sources
from responder.diagnose.plan import plan
from responder.model.alert import AlertGroup
from responder.model.delivery import Effects
from responder.model.incident import UNJUDGED, Incident, Subject
from responder.model.report import IncidentContent
from responder.model.rule import RuleBook, RunbookRef, Severity
from responder.model.timing import USUAL, Timing
from responder.notify.contract import COMPANION_SUFFIX, Channel, Use
from responder.notify.delivery.route import pagers
from responder.notify.report.content import HISTORY_DAYS
from responder.notify.report.links import LinkBuilder
from responder.runbooks.document import RunbookSet
from responder.store.incidents import incidents
from responder.triage.decide import key_of
from responder.triage.rule_index import RuleIndex

#: Probe plans cached by a DecisionContext. The cache is emptied when full: planning takes under 1 ms.
PLANS = 1000
#: Key of the incident shared by further failing groups and by unreadable notifications.
SHARED = "responder-triage"


@dataclass(frozen=True, slots=True)
class History:
    """The latest incident of a group, open or resolved, and its content; None if there is none.

    ``times`` is the number of its incidents that opened in the last HISTORY_DAYS.
    """

    incident: Incident | None = None
    content: IncidentContent | None = None
    times: int = 0


def failure_key(group: AlertGroup) -> str:
    """Return the key of the incident about triage failures of one group."""
    return f"{SHARED}/{group.dedup_key}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionContext:
    """The rules in force, channels and addresses. Immutable: a reload of the rules replaces the whole object."""

    book: RuleBook
    matching: RuleIndex
    probe_kinds: Mapping[str, ProbeKind[Any]]
    channels: Mapping[str, Channel]
    links: LinkBuilder
    prometheus_url: str
    timing: Timing = USUAL
    #: True if access to a Kubernetes cluster is configured.
    cluster: bool = False
    #: The ``cluster`` label of alerts about it; empty if alerts of every cluster are looked up there.
    cluster_name: str = ""
    sources: Sources = field(default_factory=Sources)
    #: Runbooks whose steps may be run; empty if no probe needs them.
    runbooks: RunbookSet = field(default_factory=RunbookSet)
    _plans: dict[str, tuple[ProbeQuestion, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def pagers(self) -> frozenset[str]:
        """The names of the channels that page, including those that are no longer configured."""
        return pagers(self.channels)

    @property
    def all_channels(self) -> list[Channel]:
        """The channels of the installation's default, or those of the settings that rules may name, or all channels.

        They are notified of what belongs to no team.
        """
        every = list(self.channels.values())
        own = [channel for channel in every if channel.use is Use.RULES and channel.name not in self.book.channels]
        return list(self.configured(self.book.default_channels)) or own or every

    @property
    def worst(self) -> Severity:
        """The worst severity, used for alerts whose severity is unknown."""
        return min(self.book.severities.values(), key=lambda severity: severity.priority)

    def severity(self, name: str) -> Severity:
        """Return the severity of this name; the worst if the rules in force no longer define it."""
        return self.book.severities.get(name) or self.worst

    def configured(self, names: Iterable[str]) -> tuple[Channel, ...]:
        """Return the channels of these names, in their order, without those that are not configured."""
        return tuple(self.channels[name] for name in names if name in self.channels)

    def companions(self, names: Iterable[str]) -> tuple[Channel, ...]:
        """Return the companions of the channels of these names."""
        kinds = {channel.kind for channel in self.configured(names)}
        return tuple(channel for channel in self.channels.values() if channel.accompanies & kinds)

    def pictures(self, names: Iterable[str]) -> tuple[Channel, ...]:
        """Return the companions that send pictures into the threads of the channels of these names."""
        wanted = {f"{name}{COMPANION_SUFFIX}" for name in names}
        return tuple(channel for name, channel in self.channels.items() if name in wanted)

    def questions(
        self,
        names: tuple[str, ...],
        subject: Subject,
        began: datetime | None = None,
        also: Sequence[Subject] = (),
        runbook: RunbookRef | None = None,
    ) -> tuple[ProbeQuestion, ...]:
        """Return the checks that the named probes make of a subject whose alert fires since ``began``.

        Those of the subjects in ``also`` follow: a query that they share is made once, and what cannot be checked of
        them is left out. ``runbook`` is that of the rule.
        """
        planned = [each for each in self._planned(names, subject, began, runbook) if not self._is_late(each)]
        for other in also:
            known = {(each.probe, each.query) for each in planned}
            asked = (each for each in self._planned(names, other, began) if not each.skip)
            more = (each for each in asked if self.probe_kinds[each.kind].of_group)
            planned += [replace(each, priority=1) for each in more if (each.probe, each.query) not in known]
        return tuple(planned)

    def late_questions(
        self,
        names: tuple[str, ...],
        subject: Subject,
        began: datetime | None = None,
        runbook: RunbookRef | None = None,
    ) -> tuple[ProbeQuestion, ...]:
        """Return the questions that are asked after the page has left, from the plan that ``questions`` made."""
        return tuple(each for each in self._planned(names, subject, began, runbook) if self._is_late(each))

    def _is_late(self, question: ProbeQuestion) -> bool:
        kind = self.probe_kinds.get(question.kind)
        return kind is not None and kind.about is not None

    def _elsewhere(self, subject: Subject) -> str:
        """Return the cluster of an alert if it is not the one that can be read; one without the label may be of it."""
        named = subject.values.get("cluster", "") if self.cluster and self.cluster_name else ""
        return "" if named == self.cluster_name else named

    def _planned(
        self, names: tuple[str, ...], subject: Subject, began: datetime | None, runbook: RunbookRef | None = None
    ) -> tuple[ProbeQuestion, ...]:
        """Return the checks of one subject.

        Cached, since triage needs to know which probes can run and diagnosis runs them a moment later.
        """
        # Where nothing asks what changed before the alert, alerts of any age share a plan.
        began = began if self.cluster or self.sources.grafana else None
        about = subject.service, subject.namespace, subject.name, sorted(subject.values.items())
        section = str(runbook) if runbook and self.runbooks.documents else ""
        key = repr((names, about, began, section))
        planned = self._plans.get(key)
        if planned is None:
            elsewhere = self._elsewhere(subject)
            probe_context = ProbeContext(
                subject=subject,
                services=self.book.services,
                prometheus_url=self.prometheus_url,
                began=began,
                cluster=self.cluster and not elsewhere,
                elsewhere=elsewhere,
                sources=self.sources,
                runbooks=self.runbooks,
                runbook=section,
            )
            planned = plan(names, self.book, self.probe_kinds, probe_context)
            if len(self._plans) >= PLANS:
                self._plans.clear()
            self._plans[key] = planned
        return planned


_log = structlog.get_logger()

#: The history of a group without incidents.
NOTHING = History()


def history_of(group: AlertGroup, context: DecisionContext, get: Callable[[str], History], home: str) -> History:
    """Return the history of a group.

    ``home`` is the dedup key of the incident that it was gathered into, empty if there is none; ``get`` returns the
    history of a dedup key. A group stays with its open incident, its own or a gathered one, even if its rules have
    changed.
    """
    known = open_of(group, get, home)
    if known.incident is not None:
        return known
    key = key_of(group, context.matching) if context.book.gathers else ""
    return get(key or group.dedup_key)


def open_of(group: AlertGroup, get: Callable[[str], History], home: str) -> History:
    """Return the history of the open incident that a group belongs to, regardless of its rules; NOTHING if none."""
    known = (get(key) for key in (home, group.dedup_key) if key)
    return next((each for each in known if each.incident is not None and each.incident.open), NOTHING)


def read_histories(connection: Connection, keys: Collection[str]) -> dict[str, History]:
    """Return the newest incident of each dedup key, with its content if it is open; keys without one are omitted."""
    latest = incidents.latest(connection, keys) if keys else {}
    contents = incidents.contents_of(connection, [each.id for each in latest.values() if each.open])
    return {key: History(incident, contents.get(incident.id)) for key, incident in latest.items()}


class GroupHistories:
    """The histories of a batch, read from the database and updated by each decision of the batch."""

    def __init__(
        self, connection: Connection, groups: Collection[AlertGroup], context: DecisionContext, now: datetime
    ) -> None:
        own = {group.dedup_key for group in groups}
        joined = incidents.gathering(connection, own)
        keys = {key for group in groups if (key := _key(group, context))} if context.book.gathers else set()
        failures = {SHARED, *map(failure_key, groups)}
        latest = incidents.latest(connection, own | keys | failures)
        latest |= {each.dedup_key: each for each in joined.values()}
        known = incidents.contents_of(connection, [each.id for each in latest.values() if each.open])
        over = [key for key, each in latest.items() if not each.open]
        times = incidents.count_by_key(connection, over, now - timedelta(days=HISTORY_DAYS)) if over else {}
        self._connection = connection
        self._context = context
        self._homes = {group: incident.dedup_key for group, incident in joined.items()}
        self._known = {
            key: History(incident, known.get(incident.id), times.get(key, 0)) for key, incident in latest.items()
        }
        self._stored = {incident.id for incident in latest.values()}
        self._touched: dict[str, Incident] = {}

    def of(self, group: AlertGroup) -> History:
        """Return the history of a group."""
        home = self._homes.get(group.dedup_key, "")
        return history_of(group, self._context, lambda key: self._known.get(key, NOTHING), home)

    def own(self, group: AlertGroup) -> History:
        """Return the history of the open incident that a group belongs to, found without any rule."""
        return open_of(group, lambda key: self._known.get(key, NOTHING), self._homes.get(group.dedup_key, ""))

    def open(self, key: str) -> History:
        """Return the history of the open incident with a key of triage failures; NOTHING if none is open."""
        known = self._known.get(key, NOTHING)
        return known if known.incident is not None and known.incident.open else NOTHING

    def failures(self) -> int:
        """Return the number of open incidents about triage failures, including those of this batch."""
        found = incidents.open_with_rule(self._connection, UNJUDGED)
        mine = [each for each in self._touched.values() if each.rule == UNJUDGED]
        return len((found | {each.id for each in mine}) - {each.id for each in mine if not each.open})

    def learn(self, effects: Effects) -> None:
        """Take over what a notification opened or changed, for the next notification of the same incident."""
        incident = effects.incident
        if incident is None:
            return
        key = incident.dedup_key
        before = self._known.get(key, NOTHING)
        self._known[key] = replace(before, incident=incident, content=effects.content or before.content)
        self._touched[incident.id] = incident
        for member in incident.gathered.values():
            self._homes[member.group] = key

    @property
    def added(self) -> list[Incident]:
        """The incidents that this batch opened, in their latest state."""
        return [incident for incident in self._touched.values() if incident.id not in self._stored]

    @property
    def changed(self) -> list[Incident]:
        """The incidents that existed before this batch and that it changed, in their latest state."""
        return [incident for incident in self._touched.values() if incident.id in self._stored]


def _key(group: AlertGroup, context: DecisionContext) -> str:
    """Return the key of the incident that a group is gathered into; empty if computing it fails, to spare the batch."""
    try:
        return key_of(group, context.matching)
    except Exception as error:  # noqa: BLE001 - triage of this group raises the same and handles it
        _log.error("triage.key_failed", group=group.dedup_key, exc_info=error)
        return ""
