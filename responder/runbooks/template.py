"""Text of a new runbook: the template, filled with what rules and catalog know."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRunbook:
    """Facts for the template. Empty texts and tuples become fields to fill in, which lint reports.

    ``alerts`` are names of alerts, ``symptoms`` the predicates of rules, such as ``is down``. ``severity`` is the worst
    with its response, ``contacts`` the steps of the escalation: role, contact and hours.
    """

    title: str
    owner: str
    critical: bool
    today: date
    service: str = ""
    namespace: str = ""
    health: str = ""
    impact: str = ""
    needed_by: Sequence[str] = ()
    alerts: Sequence[str] = ()
    symptoms: Sequence[str] = ()
    severity: str = ""
    response: str = ""
    contacts: Sequence[tuple[str, str, str]] = ()


#: Expected output of a list of pods, each with one container: one that is not ready differs.
_ALL_READY = ("NAME * (glob)", "* 1/1 Running * (glob+)")


def slug(title: str) -> str:
    """Return a title in the form of a file name: lower case, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def write(facts: NewRunbook) -> str:
    """Return the Markdown of a runbook with all sections, two steps, and marks where a person must write."""
    return "\n".join(_lines(facts)) + "\n"


def _lines(facts: NewRunbook) -> Iterator[str]:
    name = slug(facts.title)
    namespace = facts.namespace or "{{ namespace }}"
    service = facts.service or "{{ service }}"
    pods = f"kubectl -n {namespace} get pods -l app={service}"
    yield f"# {facts.title}\n"
    yield f"**Owner**: {facts.owner or '[team and channel]'}  "
    yield f"**Criticality**: {'Critical' if facts.critical else 'Normal'}  "
    yield f"**Last Updated**: {facts.today.isoformat()}  "
    yield "**Target Audience**: On-call engineers, SREs\n"
    yield "## Overview\n"
    yield "TODO: when to use this runbook, in two sentences.\n"
    yield "## Prerequisites\n"
    if facts.namespace:
        yield f"- `kubectl` with read access to the namespace `{namespace}`"
    yield "- TODO: access, tools and knowledge that are needed\n"
    yield "## Symptoms\n"
    if facts.alerts:
        yield f"- Alerts: {', '.join(f'`{each}`' for each in facts.alerts)}"
    yield from (f"- {facts.service or 'The service'} {each}" for each in facts.symptoms)
    yield "- TODO: what users report, and what dashboards show\n"
    yield "## Impact\n"
    yield f"- Users: {facts.impact or 'TODO: what they cannot do'}"
    if facts.needed_by:
        yield f"- Depended on by: {', '.join(facts.needed_by)}"
    yield "- Business: TODO: what it costs, and from when on"
    yield f"- Severity: up to {facts.severity}, response {facts.response}\n" if facts.severity else "- Severity: TODO\n"
    yield "## Procedure\n"
    yield f"### Step 1: Check the pods of {facts.service or 'the service'}\n"
    yield from _command(f"{name}-pods", pods, *_ALL_READY)
    yield "TODO: what it means if something else comes, and where to go then.\n"
    yield "### Step 2: Restart (changes production)\n"
    yield f'```sh {{"name":"{name}-restart","tag":"mutating","excludeFromRunAll":"true","approval":"P1:1,P2:2"}}'
    yield f"kubectl -n {namespace} rollout restart deployment/{service}\n```\n"
    yield "**Expected output:**\n"
    yield f'```text {{"for":"{name}-restart","match":"contains"}}\nrestarted\n```\n'
    yield "**Impact:** TODO: what users notice. **Undo:** TODO: the way back.\n"
    yield "## Verification\n"
    if facts.health:
        yield from _command(f"{name}-verified", f"curl -sS --max-time 5 {facts.health}", '"status":"UP"')
    else:
        yield from _command(f"{name}-verified", pods, *_ALL_READY)
    yield "## Escalation\n"
    if facts.contacts:
        yield "If there is no progress after 15 minutes, page the next:\n"
        yield from (f"{n}. {role}: {contact} ({hours})" for n, (role, contact, hours) in enumerate(facts.contacts, 1))
    else:
        yield "After 15 minutes without progress: TODO: a role or #channel"
    yield "\n## Post-Incident\n"
    yield "- TODO: metrics to review\n- TODO: documentation to update\n- Follow-up actions, with an owner and a date"


def _command(name: str, command: str, *expected: str) -> Iterator[str]:
    match = "lines" if len(expected) > 1 else "contains"
    yield f'```sh {{"name":"{name}","tag":"readonly","timeout":"10s","excludeFromRunAll":"false"}}'
    yield f"{command}\n```\n"
    yield "**Expected output:**\n"
    yield f'```text {{"for":"{name}","match":"{match}"}}\n' + "\n".join(expected) + "\n```\n"
