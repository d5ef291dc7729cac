"""Everything a decision depends on. ``serve``, ``dry-run``, the demo and the tests build the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from responder.diagnose.contract import Ask, ProbeKind, Scene
from responder.diagnose.plan import plan
from responder.model.decision import Subject
from responder.model.rule import RuleBook, Severity
from responder.model.timing import USUAL, Patience
from responder.notify.contract import Channel, Use
from responder.notify.delivery.route import pagers
from responder.notify.report.links import LinkMaker
from responder.triage.rule_index import Matching

#: Plans kept by a Desk. When there are more, all are forgotten: planning again takes under 1 ms.
PLANS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The rules in force and where things are. Replaced whole when rules are reloaded, never changed."""

    book: RuleBook
    matching: Matching
    probe_kinds: Mapping[str, ProbeKind]
    channels: Mapping[str, Channel]
    links: LinkMaker
    prometheus_url: str
    patience: Patience = USUAL
    _plans: dict[str, tuple[Ask, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def pagers(self) -> frozenset[str]:
        """The names of the channels that page, also of those that are not configured any more."""
        return pagers(self.channels)

    @property
    def everybody(self) -> list[Channel]:
        """Every channel that rules may name; the others stand in where one of these fails."""
        every = list(self.channels.values())
        return [channel for channel in every if channel.use is Use.RULES] or every

    @property
    def worst(self) -> Severity:
        """The worst severity: that of alerts whose severity is not known."""
        return min(self.book.severities.values(), key=lambda severity: severity.rank)

    def configured(self, names: Iterable[str]) -> tuple[Channel, ...]:
        """The channels of these names, in their order, but for those that are not configured (any more)."""
        return tuple(self.channels[name] for name in names if name in self.channels)

    def asks(self, names: tuple[str, ...], subject: Subject) -> tuple[Ask, ...]:
        """The questions that the named probes ask about a subject.

        Planned once and kept: triage needs to know which probes can be asked, diagnosis asks them a moment later.
        """
        about = subject.service, subject.namespace, subject.name, sorted(subject.values.items())
        key = repr((names, about))
        planned = self._plans.get(key)
        if planned is None:
            scene = Scene(subject=subject, services=self.book.services, prometheus_url=self.prometheus_url)
            planned = plan(names, self.book, self.probe_kinds, scene)
            if len(self._plans) >= PLANS:
                self._plans.clear()
            self._plans[key] = planned
        return planned
