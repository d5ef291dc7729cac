"""Rules to paste for alerts that only the catch-all matches, one for each family."""

import json
from collections.abc import Iterator

from responder.cli.rules.mapping import AlertMapping, CoverageReport
from responder.model.rule import SeverityFrom
from responder.model.text import one_line

_META = frozenset(r"\.+*?()|[]{}^$")


def stubs(found: CoverageReport) -> Iterator[str]:
    """Yield the lines of a rule file. A rule has the severity of the catch-all; its texts are to be written."""
    families: dict[str, list[AlertMapping]] = {}
    for row in found.rows:
        if row.caught:
            families.setdefault(row.family, []).append(row)
    if not families:
        yield "# every alert matches a rule"
        return
    yield "# Stubs: replace the texts, remove what the catch-all may keep, and put the file before the catch-all."
    yield "rules:"
    taken = {rule.id for rule in found.book.rules}
    for family, rows in sorted(families.items(), key=lambda each: (-sum(row.pages for row in each[1]), each[0])):
        name = _id(family, taken)
        taken.add(name)
        yield from _stub(name, rows)


def _stub(name: str, rows: list[AlertMapping]) -> Iterator[str]:
    rule = rows[0].rule
    names = sorted({row.alert.name for row in rows})
    yield f"  - id: {name}"
    if len(names) == 1:
        yield f"    match: {_yaml('alertname=' + json.dumps(names[0], ensure_ascii=False))}"
    else:
        alternatives = "|".join(map(_escaped, names))
        yield f"    match: {_yaml('alertname=~' + json.dumps(alternatives, ensure_ascii=False))}"
    severity = rule.severity
    if isinstance(severity, SeverityFrom):
        names_of = ", ".join(map(_yaml, severity.names))
        words = ", ".join(f"{_yaml(word)}: {_yaml(name)}" for word, name in severity.mapping.items())
        yield f"    severity: {{from: [{names_of}], map: {{{words}}},"
        yield f"      unknown: {_yaml(severity.unknown)}, otherwise: {_yaml(severity.otherwise)}}}"
    else:
        yield f"    severity: {_yaml(severity)}"
    if any(row.runbook_url for row in rows):
        yield "    # runbook: that of the alert"
    elif rule.runbook:
        yield f"    runbook: {_yaml(str(rule.runbook))}"
    summary = next((text for row in rows if (text := row.alert.annotations.get("summary", ""))), "")
    yield f"    first_step: {_yaml(one_line('TODO: ' + (summary or 'write the first step'))[:300])}"
    if rule.own_channels and rule.channels:
        yield f"    channels: [{', '.join(map(_yaml, rule.channels))}]"


def _id(family: str, taken: set[str]) -> str:
    plain = "".join(sign if sign.isascii() and sign.isalnum() else "-" for sign in family.lower()).strip("-")
    base = "-".join(filter(None, plain.split("-")))[:50] or "alerts"
    return next(name for name in (base, *(f"{base}-{number}" for number in range(2, 10_000))) if name not in taken)


def _escaped(name: str) -> str:
    return "".join(f"\\{sign}" if sign in _META else sign for sign in name)


def _yaml(text: str) -> str:
    """Return a scalar in double quotes, which JSON and YAML write in the same way."""
    return json.dumps(text, ensure_ascii=False)
