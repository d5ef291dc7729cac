"""Text tables for the terminal."""

import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import click

from responder.model.text import clean, one_line

_GAP = "  "
_INDENT = "      "
#: Minimum width of the last column, in characters; a narrower one moves to a line of its own.
_LEAST = 30

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column:
    """Column of a table: heading, alignment, and the colour of some of its texts."""

    head: str
    right: bool = False
    colours: Mapping[str, str] = field(default_factory=dict)


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], width: int | None = None) -> Iterator[str]:
    """Yield the lines; none without rows.

    The last cell is wrapped in what is left of ``width`` characters; if that is too little it starts on a line of its
    own. Without ``width`` each row is one line.
    """
    texts = [[one_line(text) for text in row] for row in rows]
    if not texts:
        return
    heads = [column.head for column in columns]
    widths = [max(len(row[at]) for row in (heads, *texts)) for at in range(len(columns) - 1)]
    used = sum(widths) + len(_GAP) * len(widths)
    below = width is not None and width - used < _LEAST
    between, before = (f"\n{_INDENT}", len(_INDENT)) if below else (_GAP, used)
    yield click.style(f"{_GAP.join(_filled(columns, heads, widths))}{between}{heads[-1]}", bold=True)
    for row in texts:
        beside = _GAP.join(map(_coloured, columns, row, _filled(columns, row, widths)))
        yield f"{beside}{between if row[-1] else ''}{wrapped(row[-1], before, width)}".rstrip()


def _filled(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Pad the cells of a row, except the last, to the width of their columns."""
    both = zip(columns, row, widths, strict=False)
    return [text.rjust(width) if column.right else text.ljust(width) for column, text, width in both]


def _coloured(column: Column, text: str, filled: str) -> str:
    return click.style(filled, fg=column.colours[text]) if text in column.colours else filled


def print_rows(
    rows: Sequence[Row],
    output: str,
    columns: Sequence[Column],
    cells: Callable[[Row], Sequence[str]],
    fields: Callable[[Row], Mapping[str, Any]],
) -> None:
    """Print rows: their ``fields`` for ``--output json``, else their ``cells`` as a table."""
    if output == "json":
        print_json(list(map(fields, rows)))
        return
    for line in table(columns, map(cells, rows), terminal()):
        click.echo(line)


def print_json(value: object) -> None:
    """Print a value for ``--output json``, its times as ISO 8601."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=datetime.isoformat))


def terminal() -> int | None:
    """Return the width of the terminal in characters; None if standard output is not a terminal."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def wrapped(text: str, indent: int, width: int | None) -> str:
    """Wrap text at ``width`` with a hanging indent of ``indent`` characters; one line if ``width`` is None."""
    if width is None or width - indent < _LEAST:
        return text
    left = " " * indent
    # Long words (queries, URLs) are not broken, so that they can be copied.
    whole = textwrap.TextWrapper(width, left, left, break_long_words=False, break_on_hyphens=False)
    return whole.fill(text)[indent:]


def printable_bytes(body: bytes, *, to_terminal: bool) -> bytes:
    """Return the bytes unchanged for a pipe or file, without control characters for a terminal."""
    return f"{clean(body.decode('utf-8', 'replace'))}\n".encode() if to_terminal else body


def format_time(at: datetime | None) -> str:
    """Format a time in UTC to the second; a dash for None."""
    return f"{at:%Y-%m-%d %H:%M:%S UTC}" if at else "-"
