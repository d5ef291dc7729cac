"""Rules to paste for alerts that only the catch-all matches, one for each family."""

from collections.abc import Iterator

from responder.cli.rules.mapping import AlertMapping, CoverageReport
from responder.cli.stubs import listed, quoted, stub, unique_id
from responder.model.rule import Rule, SeverityFrom
from responder.model.text import one_line


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
        yield from _stub(unique_id(family, taken), rows)


def _stub(name: str, rows: list[AlertMapping]) -> Iterator[str]:
    rule, more = rows[0].rule, []
    if any(row.runbook_url for row in rows):
        more.append("# runbook: that of the alert")
    elif rule.runbook:
        more.append(f"runbook: {quoted(str(rule.runbook))}")
    if rule.own_channels and rule.channels:
        more.append(f"channels: {listed(rule.channels)}")
    summary = next((text for row in rows if (text := row.alert.annotations.get("summary", ""))), "")
    first_step = one_line("TODO: " + (summary or "write the first step"))[:300]
    return stub(name, (row.alert.name for row in rows), _severity(rule), first_step, *more)


def _severity(rule: Rule) -> str:
    severity = rule.severity
    if not isinstance(severity, SeverityFrom):
        return quoted(severity)
    words = ", ".join(f"{quoted(word)}: {quoted(name)}" for word, name in severity.written.items())
    rest = f"unknown: {quoted(severity.unknown)}, otherwise: {quoted(severity.otherwise)}"
    return f"{{from: {listed(severity.names)}, map: {{{words}}},\n      {rest}}}"
