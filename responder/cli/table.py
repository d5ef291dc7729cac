"""Rows under a heading, each column as wide as it needs to be."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import click

from responder.model.text import cut, one_line

_GAP = "  "
_INDENT = "      "
_LEAST = 30
"""Characters that the last column must have left to stand beside the others."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its head, on which side its texts stand, and the colour of some of them."""

    head: str
    right: bool = False
    colours: Mapping[str, str] = field(default_factory=dict)


def table(columns: Sequence[Column], rows: Iterable[Sequence[str]], width: int | None = None) -> Iterator[str]:
    """The lines; none where there are no rows.

    Of a terminal's ``width`` characters the last text of a row takes what is left, and is cut to it. Where that is
    little it stands on a line of its own. Without ``width`` everything is there, a line a row.
    """
    texts = [[one_line(text) for text in row] for row in rows]
    if not texts:
        return
    heads = [column.head for column in columns]
    widths = [max(len(row[at]) for row in (heads, *texts)) for at in range(len(columns) - 1)]
    used = sum(widths) + len(_GAP) * len(widths)
    below = width is not None and width - used < _LEAST
    between, before = (f"\n{_INDENT}", len(_INDENT)) if below else (_GAP, used)
    yield click.style(_GAP.join([*_filled(columns, heads, widths), heads[-1]]), bold=True)
    for row in texts:
        beside = _GAP.join(map(_coloured, columns, row, _filled(columns, row, widths)))
        last = row[-1] if width is None else cut(row[-1], width - before)
        yield f"{beside}{between if last else ''}{last}".rstrip()


def _filled(columns: Sequence[Column], row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """The texts of a row but for its last, each as wide as its column."""
    both = zip(columns, row, widths, strict=False)
    return [text.rjust(width) if column.right else text.ljust(width) for column, text, width in both]


def _coloured(column: Column, text: str, filled: str) -> str:
    return click.style(filled, fg=column.colours[text]) if text in column.colours else filled


def terminal() -> int | None:
    """How many columns the terminal has; None where standard output is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def moment(at: datetime | None) -> str:
    """A time in UTC, to the second, as people read it; a dash for none."""
    return f"{at:%Y-%m-%d %H:%M:%SZ}" if at else "-"
