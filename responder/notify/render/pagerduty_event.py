"""The parts of an event for PagerDuty, within its limits: summary, links and details. Pure."""

from collections.abc import Mapping

from responder.model.finding import Finding, Verdict
from responder.model.report import Report
from responder.model.text import clean, cut, one_line
from responder.notify.render.response import within
from responder.notify.report.links import VENDOR_LINK, safe_url
from responder.notify.report.sections import findings, metadata, page

# https://developer.pagerduty.com/docs/events-api-v2/trigger-events/ and .../send-alert-event/
SUMMARY_LIMIT = 1024  # characters
SEVERITIES = frozenset({"critical", "error", "warning", "info"})
# Not documented for these fields; short enough for every view that shows them.
FIELD_LIMIT = 255
LINK_TEXT_LIMIT = 100
MOST_LINKS = 6


def summary(report: Report) -> str:
    """Return title and summary in at most SUMMARY_LIMIT characters; PagerDuty refuses an empty text."""
    said = report.summary if report.summary and report.summary not in report.title else ""
    text = " — ".join(filter(None, (one_line(report.title[: 2 * SUMMARY_LIMIT]), one_line(said))))
    return cut(text.strip(), SUMMARY_LIMIT) or f"[{report.severity}] alert"


def severity(report: Report) -> str:
    """Return the severity of the event; ``error`` for a word that PagerDuty does not know."""
    return report.pagerduty_severity if report.pagerduty_severity in SEVERITIES else "error"


def line(text: str) -> str:
    """Return a text as a field of one line."""
    return within(one_line(text[: 4 * FIELD_LIMIT]), FIELD_LIMIT)


def runbook(report: Report) -> list[dict[str, str]]:
    """Return the link to the runbook, as a list of none or one."""
    url = safe_url(report.runbook.href) if report.runbook else ""
    return [{"href": url, "text": "Runbook"}] if url else []


def links(report: Report) -> list[dict[str, str]]:
    """Return the links, the runbook first."""
    every = [each for each in report.all_links if each.text != VENDOR_LINK]  # that is where the event goes
    found = [{"href": safe_url(each.href), "text": within(one_line(each.text), LINK_TEXT_LIMIT)} for each in every]
    return [link for link in found if link["href"]][:MOST_LINKS]


#: Bytes of a value: still readable, far below PagerDuty's limit.
VALUE_LIMIT = 1000
#: Bad findings that are listed.
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
    """Return the lines that have content, each at most 1,000 bytes, without the first ``shed`` entries of ``SHED``.

    The line ``99 Cut`` says what was left out or shortened; it is absent where nothing was.
    """
    cut = list(SHED[:shed])
    lines: dict[str, str] = {}
    for number, section in enumerate((*page(report), *metadata(report))):
        if not section.empty:
            lines[f"{number:02} {section.name}"] = _fitted(section.name, section.linked, cut)
    lines |= _findings(report, shed, cut, one_line("\n".join(lines.values())))
    if report.labels and shed < 1:
        lines["L1 Labels"] = _labels(report.labels, cut)
    if cut:
        lines["99 Cut"] = within(f"left out or shortened to fit: {'; '.join(cut)}", VALUE_LIMIT)
    return dict(sorted(lines.items()))


def _findings(report: Report, shed: int, cut: list[str], said: str) -> dict[str, str]:
    """Return a line for each finding. Of a clue that was ``said`` above only the detail is left.

    What was seen of a neighbor of the subject, and explains nothing on the page, is left out: it is not blamed.
    """
    lines: dict[str, str] = {}
    shortened: list[str] = []
    kept = [
        (word, each)
        for word, each in findings(report)
        if _kept(each, shed)
        and ((each.detail and not _bare(each, shed)) if _is_said(each, said) else not _is_of_neighbor(each))
    ]
    for number, (word, finding) in enumerate(kept if shed < len(SHED) else kept[:MOST_HEADLINES], 1):
        text = "" if _is_said(finding, said) else one_line(finding.headline)
        if finding.detail and not _bare(finding, shed):
            text = f"{text}\n{finding.detail}".strip()
        lines[f"F{number:03} {word}"] = _fitted(f"F{number:03}", text, shortened)
    if shortened:
        more = f" and {len(shortened) - 1} more" if len(shortened) > 1 else ""
        cut.append(f"the detail of {shortened[0]}{more}")
    return lines


def _is_said(finding: Finding, said: str) -> bool:
    """Return True for what was seen in a cluster, if the page says it: its headline is a sentence of the page."""
    return finding.clue is not None and one_line(finding.headline).rstrip("…") in said


def _is_of_neighbor(finding: Finding) -> bool:
    return finding.clue is not None and finding.clue.step > 0


def _bare(finding: Finding, shed: int) -> bool:
    """Return True if the detail of this finding was shed."""
    return shed >= {Verdict.OK: 2, Verdict.BAD: 4}.get(finding.verdict, 3)


def _kept(finding: Finding, shed: int) -> bool:
    return shed < {Verdict.OK: 5, Verdict.BAD: len(SHED) + 1}.get(finding.verdict, 6)


def _labels(labels: Mapping[str, str], cut: list[str]) -> str:
    pairs: list[str] = []
    size = 0
    for name, value in labels.items():
        pair = one_line(f"{name[:200]}={value[:VALUE_LIMIT]}")
        size += len(pair.encode("utf-8", "replace")) + 2
        if size > VALUE_LIMIT:
            break
        pairs.append(pair)
    if len(pairs) < len(labels):
        cut.append(f"{len(labels) - len(pairs)} of {len(labels)} labels")
    return ", ".join(pairs)


def _fitted(what: str, text: str, cut: list[str]) -> str:
    # No text is worth reading beyond this, and cleaning a megabyte to keep a kilobyte would delay the page.
    fitted = within(clean(text[: 4 * VALUE_LIMIT]), VALUE_LIMIT)
    if len(text) > 4 * VALUE_LIMIT or fitted.endswith("…") > text.endswith("…"):
        cut.append(what)
    return fitted
