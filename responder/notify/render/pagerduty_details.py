"""PagerDuty's custom_details: numbered lines in the order people read them, and what to shed when they are too many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from responder.model.finding import Finding, Verdict, worst_first
from responder.model.report import Report
from responder.model.text import clean, one_line
from responder.notify.render.response import within

VALUE_LIMIT = 1000  # bytes a value: what people still read, far below anything PagerDuty refuses
MOST_HEADLINES = 200

# What goes first when the event is too large, least important first. The headlines of what is bad are the last.
SHED: tuple[str, ...] = (
    "the labels",
    "the detail of ok findings",
    "the detail of unknown and skipped findings",
    "the detail of bad findings",
    "the ok findings",
    "the unknown and skipped findings",
    f"all but the first {MOST_HEADLINES} bad findings",
)


def details(report: Report, shed: int) -> dict[str, str]:
    """The lines that have content, each at most 1,000 bytes, without the first ``shed`` entries of ``SHED``.

    The last line, ``12 Cut``, says what was left out or shortened; it is absent where nothing was.
    """
    cut = list(SHED[:shed])
    lines: dict[str, str] = {}
    for key, text in _story(report):
        if text:
            lines[key] = _fitted(key.partition(" ")[2], text, cut)
    lines |= _findings(report, shed, cut)
    if report.labels and shed < 1:
        lines["L1 Labels"] = _labels(report.labels, cut)
    if cut:
        lines["12 Cut"] = within(f"left out or shortened to fit: {'; '.join(cut)}", VALUE_LIMIT)
    return dict(sorted(lines.items()))


def _story(report: Report) -> Iterator[tuple[str, str]]:
    said = report.conclusion
    runbook = f"[{report.runbook.text}]" if report.runbook else ""
    pending = f"not answered yet: {', '.join(report.pending)}" if report.pending else ""
    yield "00 Came this way", f"because {report.detour}" if report.detour else ""
    yield "00 Update", report.update
    yield "01 What", _sentence(report.what, f"({report.severity_reason})" if report.severity_reason else "")
    yield "02 Impact", report.impact
    yield "03 Likely", said.likely
    yield "03 Seen", said.seen
    yield "04 Changed", said.changed
    yield "05 Ruled out", said.ruled_out
    yield "06 Unknown", "; ".join(filter(None, (said.unknown, pending)))
    yield (
        "07 Do first",
        _sentence(report.first_step, runbook, _noted(report)),
    )
    yield "08 Related", report.related
    yield "09 History", report.history
    yield "10 Clock", " · ".join(filter(None, (report.clock, _named("owner", report.owner), _escalation(report))))
    yield "11 Made by", " · ".join(filter(None, (report.made_by, f"{report.firing} firing", _cut_alerts(report))))


def _noted(report: Report) -> str:
    return f"Note: {report.note}" if report.note else ""


def _sentence(*parts: str) -> str:
    return " ".join(filter(None, parts))


def _named(name: str, text: str) -> str:
    return f"{name} {text}" if text else ""


def _escalation(report: Report) -> str:
    return _named("escalation:", report.escalation)


def _cut_alerts(report: Report) -> str:
    return f"+{report.truncated} alerts cut by max_alerts" if report.truncated else ""


def _findings(report: Report, shed: int, cut: list[str]) -> dict[str, str]:
    lines: dict[str, str] = {}
    shortened: list[str] = []
    kept = [each for each in worst_first(report.findings) if _kept(each, shed)]
    for number, finding in enumerate(kept if shed < len(SHED) else kept[:MOST_HEADLINES], 1):
        probe = within(one_line(finding.probe), 80)
        text = one_line(finding.headline)
        if finding.detail and not _bare(finding, shed):
            text += f"\n{finding.detail}"
        # A figure that nothing judged is not ok: it may be the exit code 137.
        word = "seen" if finding.verdict is Verdict.OK and not finding.judged else finding.verdict.value
        lines[f"F{number:03} {word} {probe}"] = _fitted(probe, text, shortened)
    if shortened:
        more = f" and {len(shortened) - 1} more" if len(shortened) > 1 else ""
        cut.append(f"the detail of {shortened[0]}{more}")
    return lines


def _bare(finding: Finding, shed: int) -> bool:
    """Whether the detail of this finding was shed."""
    return shed >= {Verdict.OK: 2, Verdict.BAD: 4}.get(finding.verdict, 3)


def _kept(finding: Finding, shed: int) -> bool:
    return shed < {Verdict.OK: 5, Verdict.BAD: len(SHED) + 1}.get(finding.verdict, 6)


def _labels(labels: Mapping[str, str], cut: list[str]) -> str:
    told: list[str] = []
    size = 0
    for name, value in labels.items():
        pair = one_line(f"{name[:200]}={value[:VALUE_LIMIT]}")
        size += len(pair.encode("utf-8", "replace")) + 2
        if size > VALUE_LIMIT:
            break
        told.append(pair)
    if len(told) < len(labels):
        cut.append(f"{len(labels) - len(told)} of {len(labels)} labels")
    return ", ".join(told)


def _fitted(what: str, text: str, cut: list[str]) -> str:
    # No text is worth reading beyond this, and cleaning a megabyte to keep a kilobyte would delay the page.
    fitted = within(clean(text[: 4 * VALUE_LIMIT]), VALUE_LIMIT)
    if len(text) > 4 * VALUE_LIMIT or fitted.endswith("…") > text.endswith("…"):
        cut.append(what)
    return fitted
