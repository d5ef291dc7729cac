"""A draft without problems to the rule book."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from responder.model.problem import Place
from responder.model.rule import (
    Action,
    Contact,
    Heartbeat,
    Link,
    Matcher,
    ProbeSpec,
    Rule,
    RuleBook,
    RunbookRef,
    Service,
    Severity,
    SeverityFrom,
)
from responder.rulebook.draft import Draft, Entry
from responder.rulebook.schema import Defaults, Platform, ProbeShape, RuleShape, ServiceShape, SeverityShape


def assemble(draft: Draft, revision: str) -> RuleBook:
    """The rule book. The checks found nothing: every name is known, ``matchers`` and ``specs`` are complete."""
    platform = draft.platforms[0].value
    contacts = {
        entry.name: Contact(role=entry.value.role, contact=entry.value.contact, hours=entry.value.hours)
        for entry in draft.contacts
    }
    defaults = {entry.document.name: entry.value for entry in draft.defaults}
    rules = tuple(
        _rule(entry, draft.matchers[number], defaults[entry.document.name]) for number, entry in enumerate(draft.rules)
    )
    return RuleBook(
        severities={entry.name: _severity(entry, rank) for rank, entry in enumerate(draft.severities, 1)},
        services={entry.name: _service(entry, platform) for entry in draft.services},
        contacts=tuple(contacts.values()),
        escalation=tuple(contacts[entry.value] for entry in draft.escalation),
        urls=tuple(Link(entry.value.text, entry.value.href) for entry in draft.urls),
        probes={entry.name: _probe(entry, draft.specs[entry.name]) for entry in draft.probes},
        rules=rules,
        environment=platform.environment,
        namespace=platform.namespace,
        revision=revision,
        exporters=tuple(platform.exporters),
        heartbeats=tuple(_heartbeats(draft, defaults)),
    )


def _severity(entry: Entry[SeverityShape], rank: int) -> Severity:
    shape = entry.value
    return Severity(
        name=entry.name,
        rank=rank,
        meaning=shape.meaning,
        response=shape.response,
        respond_within=shape.respond_within,
        responders=shape.responders,
        pages=shape.pages,
        pagerduty=shape.pagerduty,
        page_budget=shape.page_budget,
        next_update=shape.next_update,
    )


def _service(entry: Entry[ServiceShape], platform: Platform) -> Service:
    shape = entry.value
    namespace = shape.namespace or platform.namespace
    return Service(
        name=entry.name,
        namespace=namespace,
        health=shape.health,
        owner=shape.owner,
        impact=shape.impact,
        depends_on=tuple(shape.depends_on),
        dashboards=tuple(Link(text, href) for text, href in shape.dashboards.items()),
        selector=shape.selector or f'namespace="{namespace}",service="{entry.name}"',
    )


def _probe(entry: Entry[ProbeShape], spec: object) -> ProbeSpec:
    return ProbeSpec(name=entry.name, kind=entry.value.kind, timeout=entry.value.timeout, spec=spec, place=entry.key())


def _rule(entry: Entry[RuleShape], matchers: tuple[Matcher, ...], defaults: Defaults) -> Rule:
    shape = entry.value
    action = Action(shape.action)
    tells = action is Action.NOTIFY
    file, _, section = (shape.runbook or "").partition("#")
    probes = (*_or(shape.probes, defaults.probes), *defaults.baseline) if tells else ()
    return Rule(
        id=shape.id,
        matchers=matchers,
        severity=_severity_of(shape),
        symptom=shape.symptom,
        runbook=RunbookRef(file, section) if file else None,
        first_step=shape.first_step,
        probes=tuple(dict.fromkeys(probes)),
        channels=tuple(dict.fromkeys(_or(shape.channels, defaults.channels))) if tells else (),
        action=action,
        place=_place(entry),
    )


def _heartbeats(draft: Draft, defaults: Mapping[str, Defaults]) -> Iterator[Heartbeat]:
    for entry, told in zip(draft.heartbeats, draft.told[len(draft.rules) :], strict=True):
        cluster = entry.value.cluster
        rule = replace(
            _rule(told, (), defaults[told.document.name]),
            impact=f"Alerts of {cluster} may reach nobody: what breaks there now goes unnoticed.",
        )
        yield Heartbeat(cluster=cluster, max_gap=entry.value.max_gap, rule=rule)


def _severity_of(shape: RuleShape) -> str | SeverityFrom:
    wanted = shape.severity
    if isinstance(wanted, str):
        return wanted
    return SeverityFrom(label=wanted.from_, mapping=dict(wanted.map), otherwise=wanted.otherwise)


def _place(entry: Entry[RuleShape]) -> Place:
    return entry.at()


def _or(given: list[str] | None, default: list[str]) -> list[str]:
    return default if given is None else given
