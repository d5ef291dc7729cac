"""The figures of docs/reliability.md and docs/lab/reliability.md, written by a run of a hundred seeds or more."""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from tests.faults.catalog import FAULTS
from tests.faults.play import Result
from tests.faults.verdict import GRACE

DOCS = Path(__file__).parents[2] / "docs"
PAGE, NOTES = DOCS / "reliability.md", DOCS / "lab" / "reliability.md"
#: Seeds that a run needs for its figures to be written.
ENOUGH = 100
_FROM, _TO = "<!-- figures: written by make faults SEEDS=100 -->", "<!-- end of figures -->"


def write(results: Sequence[Result], day: date) -> None:
    """Put the figures of a run between the marks of both pages."""
    for page, lines in ((PAGE, figures(results, day)), (NOTES, faults(results))):
        before, _, rest = page.read_text("utf-8").partition(_FROM)
        _, _, after = rest.partition(_TO)
        page.write_text("\n".join([f"{before}{_FROM}", "", *lines, "", f"{_TO}{after}"]), "utf-8")


def figures(results: Sequence[Result], day: date) -> Iterator[str]:
    """A table of what was sent and what became of it."""
    passed = [result for result in results if not result.problems]
    machine = f"{os.cpu_count()} processors, Linux {platform.release()}, Python {platform.python_version()}"
    yield f"{len(results)} seeds on {day:%d %B %Y}, {machine}: **{len(passed)} passed**."
    yield ""
    engines = sorted({result.engine for result in results})
    yield f"| | {' | '.join(engines)} |"
    yield f"|---|{'---|' * len(engines)}"
    columns = [_column([result for result in results if result.engine == engine]) for engine in engines]
    for name in columns[0]:
        yield f"| {name} | {' | '.join(column[name] for column in columns)} |"


def faults(results: Sequence[Result]) -> Iterator[str]:
    """A table of how often each fault occurred."""
    yield "| fault | struck |"
    yield "|---|---|"
    struck = Counter(each.name for result in results for each in result.planned)
    for name in FAULTS:
        yield f"| {name} | {struck[name]} |"


def _column(results: Sequence[Result]) -> dict[str, str]:
    found = [page for result in results for page in result.pages]
    late = sorted(page.seconds - page.budget for page in found if page.seconds is not None)
    return {
        "seeds": str(len(results)),
        "seeds that failed": str(sum(bool(result.problems) for result in results)),
        "alerts that fired": str(sum(result.alerts for result in results)),
        "webhooks acknowledged": str(sum(result.acknowledged for result in results)),
        "faults": str(sum(len(result.planned) for result in results)),
        "incidents": str(sum(result.incidents for result in results)),
        "pages": str(len(found)),
        "pages that never left": str(sum(page.seconds is None for page in found)),
        f"pages later than budget + {GRACE:g} s": str(sum(each > GRACE for each in late)),
        "the latest page, from its budget": f"{late[-1]:+.2f} s" if late else "",
        "the median page, from its budget": f"{late[len(late) // 2]:+.2f} s" if late else "",
    }
