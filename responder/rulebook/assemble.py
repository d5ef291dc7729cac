"""Assembly of checked rule files into the rule book."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from responder.model.rule import (
    Action,
    Adjustment,
    ExpectedHeartbeat,
    FindingCondition,
    Link,
    LinkAnnotations,
    Matcher,
    PageAgain,
    ProbeSpec,
    Reminders,
    Rule,
    RuleBook,
    RunbookRef,
    Service,
    Severity,
    SeverityFrom,
    SubjectFrom,
    Template,
)
from responder.model.team import Contact, NamedChannel, SecretName, Team
from responder.model.window import TimeRange, Window
from responder.rulebook.defaults import (
    Destinations,
    destinations_of,
    expanded,
    runbook_of,
    runbooks_of,
    team_channels,
    windows_of,
)
from responder.rulebook.field_types import DAYS, span, zone
from responder.rulebook.rule_files import Entry, RuleFiles
from responder.rulebook.rule_schema import AdjustShape, ImpactFromShape, RuleShape, SubjectFromShape
from responder.rulebook.schema import (
    LinkAnnotationsShape,
    Platform,
    ProbeShape,
    RemindersShape,
    ServiceShape,
    SeverityShape,
    WindowShape,
)
from responder.rulebook.team_schema import ChannelShape, TeamShape
from responder.rulebook.template_schema import TemplateShape


def assemble(rule_files: RuleFiles, revision: str) -> RuleBook:
    """Build the rule book. Requires files that passed all checks, which fill in matchers and specs."""
    platform = rule_files.platforms[0].value
    contacts = {
        entry.name: Contact(role=entry.value.role, contact=entry.value.contact, hours=entry.value.hours)
        for entry in rule_files.contacts
    }
    windows = windows_by_name(rule_files)
    rules = tuple(rule_of(number, entry, rule_files, windows) for number, entry in enumerate(rule_files.rules))
    teams = {entry.name: _team(entry, contacts) for entry in rule_files.teams}
    return RuleBook(
        channels={entry.name: _channel(entry) for entry in rule_files.channels},
        teams=teams,
        default_channels=_default_channels(platform, teams),
        severities={
            entry.name: _severity(entry, priority, rule_files.templates, windows)
            for priority, entry in enumerate(rule_files.severities, 1)
        },
        services=_services(rule_files.services, platform),
        contacts=tuple(contacts.values()),
        escalation=tuple(contacts[entry.value] for entry in rule_files.escalation),
        urls=tuple(Link(entry.value.text, entry.value.href) for entry in rule_files.urls),
        probes={entry.name: _probe(entry, rule_files.specs[entry.name]) for entry in rule_files.probes},
        rules=rules,
        gathers=any(rule.gather for rule in rules if not rule.shadow),
        environment=platform.environment,
        namespace=platform.namespace or "",
        subject_labels=tuple(platform.subject_labels),
        link_annotations=link_annotations(rule_files),
        revision=revision,
        exporters=tuple(platform.exporters),
        heartbeats=tuple(_heartbeats(rule_files)),
    )


def link_annotations(rule_files: RuleFiles) -> LinkAnnotations:
    """Return the names of the alert's own links: those of the platform, or the usual ones."""
    shape = rule_files.platforms[0].value.link_annotations if rule_files.platforms else LinkAnnotationsShape()
    return LinkAnnotations(tuple(shape.runbook), tuple(shape.dashboard), tuple(shape.panel))


def windows_by_name(rule_files: RuleFiles) -> Mapping[str, Window]:
    """Build the paging windows."""
    return {entry.name: _window(entry) for entry in rule_files.windows}


def _channel(entry: Entry[ChannelShape]) -> NamedChannel:
    values = {
        key: SecretName(value["secret"]) if isinstance(value, dict) else value
        for key, value in (entry.value.model_extra or {}).items()
    }
    return NamedChannel(name=entry.name, kind=entry.value.kind, values=values, position=entry.key())


def _team(entry: Entry[TeamShape], contacts: Mapping[str, Contact]) -> Team:
    """Build a team. Its contacts take precedence over the installation's contacts with the same role."""
    shape = entry.value
    known = {role: each.contact for role, each in contacts.items()} | {
        each.role: each.contact for each in shape.contacts
    }
    return Team(
        name=entry.name,
        channels=tuple(dict.fromkeys(shape.channels)),
        fallback=tuple(dict.fromkeys(shape.fallback)),
        escalation=tuple(f"{role} ({known[role]})" for role in shape.escalation),
        oncall_group=shape.oncall_group or "",
        acting_group=shape.acting_group or "",
    )


def _default_channels(platform: Platform, teams: Mapping[str, Team]) -> tuple[str, ...]:
    team = platform.team if isinstance(platform.team, str) else platform.team and platform.team.otherwise
    return teams[team].channels if team else tuple(platform.channels)


def _severity(
    entry: Entry[SeverityShape],
    priority: int,
    templates: Sequence[Entry[TemplateShape]],
    windows: Mapping[str, Window],
) -> Severity:
    shape = entry.value
    return Severity(
        name=entry.name,
        priority=priority,
        meaning=shape.meaning,
        response=shape.response,
        respond_within=shape.respond_within,
        responders=shape.responders,
        pages=shape.pages,
        pagerduty=shape.pagerduty,
        page_budget=shape.page_budget,
        next_update=shape.next_update,
        flood_above=shape.flood_above,
        page_again=PageAgain(shape.page_again.factor, shape.page_again.from_) if shape.page_again else None,
        postmortem_due=shape.postmortem.due if shape.postmortem else None,
        templates={each.name: _template(each.value, entry.name) for each in templates},
        reminders=_reminders(shape.reminders, windows),
        status_pages=tuple(dict.fromkeys(shape.status_pages)),
        room=shape.room,
    )


def _reminders(shape: RemindersShape, windows: Mapping[str, Window]) -> Reminders:
    return Reminders(
        response=shape.response,
        update=shape.update,
        paged=shape.paged,
        escalate=tuple(dict.fromkeys(shape.escalate)) if isinstance(shape.escalate, list) else (),
        next_contact=shape.escalate is True,
        window=windows[shape.window] if shape.window else None,
    )


def _template(shape: TemplateShape, severity: str) -> Template:
    """Build the template of a severity."""
    texts = ((name, text if isinstance(text, str) else text.get(severity, "")) for name, text in shape.fields.items())
    return Template(shape.title, tuple((name, text) for name, text in texts if text))


def _services(entries: Sequence[Entry[ServiceShape]], platform: Platform) -> dict[str, Service]:
    needed_by: dict[str, list[str]] = {}
    for entry in entries:
        for name in dict.fromkeys(entry.value.depends_on):
            needed_by.setdefault(name, []).append(entry.name)
    return {entry.name: _service(entry, platform, needed_by.get(entry.name, ())) for entry in entries}


def _service(entry: Entry[ServiceShape], platform: Platform, needed_by: Sequence[str]) -> Service:
    shape = entry.value
    namespace = shape.namespace or platform.namespace or ""
    where = f'namespace="{namespace}",' if namespace else ""
    return Service(
        name=entry.name,
        namespace=namespace,
        health=shape.health or "",
        aliases=tuple(shape.aliases),
        patterns=tuple(shape.patterns),
        expect_status=tuple(shape.expect_status),
        expect_json=tuple(shape.expect_json.items()),
        components={page: tuple(ids) for page, ids in shape.components.items()},
        owner=shape.owner,
        impact=shape.impact,
        depends_on=tuple(shape.depends_on),
        needed_by=tuple(needed_by),
        dashboards=tuple(Link(text, href) for text, href in shape.dashboards.items()),
        selector=shape.selector or f'{where}service="{entry.name}"',
    )


def _probe(entry: Entry[ProbeShape], spec: Any) -> ProbeSpec[Any]:
    return ProbeSpec(
        name=entry.name, kind=entry.value.kind, timeout=entry.value.timeout, spec=spec, position=entry.key()
    )


def _window(entry: Entry[WindowShape]) -> Window:
    shape, found = entry.value, zone(entry.value.zone)
    assert found is not None
    return Window(
        name=entry.name,
        zone=found,
        days=frozenset(DAYS.index(day) for day in shape.days),
        spans=tuple(sorted((TimeRange(*span(hours)) for hours in shape.hours), key=lambda each: each.start)),
        holidays=frozenset(shape.holidays),
    )


def rule_of(number: int, entry: Entry[RuleShape], rule_files: RuleFiles, windows: Mapping[str, Window]) -> Rule:
    """Build a rule with the matchers and conditions that the checks stored under its ``number``."""
    shape, defaults = entry.value, rule_files.defaults_of(entry.document.name)
    action = Action(shape.action)
    notifies = action is Action.NOTIFY
    runbook, runbook_from = runbook_of(shape, defaults, link_annotations(rule_files).runbook)
    found = destinations_of(entry, rule_files) if notifies else Destinations((), "")
    by_code = runbooks_of(shape, rule_files) if notifies else {}
    adjust = (_adjustment(each, rule_files.conditions.get((number, at), ())) for at, each in enumerate(shape.adjust))
    return Rule(
        id=shape.id,
        matchers=rule_files.matchers.get(number, ()),
        severity=_severity_of(shape, rule_files),
        symptom=shape.symptom,
        impact=shape.impact if isinstance(shape.impact, str) else "",
        service_impact=isinstance(shape.impact, ImpactFromShape),
        runbook=_runbook_ref(runbook) if runbook else None,
        runbook_from=runbook_from,
        first_step=shape.first_step,
        first_steps={**defaults.first_steps, **shape.first_steps},
        runbooks={code: _runbook_ref(name) for code, name in by_code.items()},
        probes=expanded(shape, defaults, rule_files.pack_lists()) if notifies else (),
        channels=tuple(dict.fromkeys(found.channels)),
        own_channels=found.own,
        channels_by=found.by,
        teams=found.teams if rule_files.teams else (),
        team_channels=team_channels(found, rule_files),
        action=action,
        position=entry.at(),
        adjust=tuple(adjust),
        subject=tuple(map(_subject_from, shape.subject)),
        pages_in={severity: windows[name] for severity, name in windows_of(entry, rule_files).items() if windows},
        gather=tuple(dict.fromkeys(shape.incident_key)),
        shadow=not shape.enabled,
        owner=shape.owner or defaults.owner or "",
        note=shape.note,
        drop_reason=shape.reason,
        publishes=shape.status_page is not None and shape.status_page.automatic,
    )


@lru_cache(maxsize=1024)
def _runbook_ref(name: str) -> RunbookRef:
    file, _, section = name.partition("#")
    return RunbookRef(file, section)


def _adjustment(shape: AdjustShape, matchers: tuple[Matcher, ...]) -> Adjustment:
    to = shape.lower if shape.raise_ is None else shape.raise_
    return Adjustment(
        matchers=matchers,
        firing=max(when.firing or 0 for when in shape.when),
        findings=tuple(FindingCondition(when.probe, tuple(when.is_)) for when in shape.when if when.probe is not None),
        raises=shape.raise_ is not None,
        to=to if isinstance(to, str) else "",
        steps=to if isinstance(to, int) else 0,
    )


def _heartbeats(rule_files: RuleFiles) -> Iterator[ExpectedHeartbeat]:
    """Yield the expected heartbeats. Their rules use the file's defaults except its window: they page at any time."""
    paging_rules = list(enumerate(rule_files.paging_rules))[len(rule_files.rules) :]
    for entry, (number, rule_entry) in zip(rule_files.heartbeats, paging_rules, strict=True):
        cluster = entry.value.cluster
        rule = replace(
            rule_of(number, rule_entry, rule_files, {}),
            impact=f"Alerts of {cluster} may not arrive: failures there go unnoticed.",
        )
        yield ExpectedHeartbeat(cluster=cluster, max_gap=entry.value.max_gap, rule=rule)


def _severity_of(shape: RuleShape, rule_files: RuleFiles) -> str | SeverityFrom:
    """Return the fixed severity, or the severity of each word: the rule's map first, then names, then synonyms.

    ``none`` is the word of alerts that only show that alerting works; it never means a severity that pages.
    """
    wanted = shape.severity
    if isinstance(wanted, str):
        return wanted
    own = {word.casefold(): severity for word, severity in wanted.map.items()}
    others = {
        word.casefold(): own[entry.name.casefold()]
        for entry in rule_files.severity_words
        for word in entry.value
        if entry.name.casefold() in own
    }
    mapping = others | {entry.name.casefold(): entry.name for entry in rule_files.severities} | own
    quiet = [entry.name for entry in rule_files.severities if not entry.value.pages] or [rule_files.severities[-1].name]
    if mapping.get("none") not in quiet:
        mapping["none"] = quiet[-1]
    unknown = wanted.unknown or wanted.otherwise
    return SeverityFrom(
        names=tuple(wanted.from_),
        mapping=mapping,
        unknown=unknown,
        otherwise=wanted.otherwise,
        written=dict(wanted.map),
    )


def _subject_from(wanted: str | SubjectFromShape) -> SubjectFrom:
    return SubjectFrom(label=wanted) if isinstance(wanted, str) else SubjectFrom(label=wanted.from_, mapping=wanted.map)
