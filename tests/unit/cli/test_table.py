"""Tables on a terminal and in a pipe."""

from __future__ import annotations

import click

from responder.cli.table import Column, format_time, printable_bytes, table, wrapped
from tests.support.builders import NOW

COLUMNS = (Column("ID", right=True), Column("STATE", colours={"dead": "red"}), Column("WHY"))
ROWS = [("7", "dead", "no such channel in this workspace"), ("12", "sent", "")]


def test_columns_are_as_wide_as_they_need_to_be() -> None:
    """Columns are aligned for any content; a pipe gets the full text, one line per row."""
    assert list(map(click.unstyle, table(COLUMNS, ROWS))) == [
        "ID  STATE  WHY",
        " 7  dead   no such channel in this workspace",
        "12  sent",
    ]
    assert click.style("dead ", fg="red") in list(table(COLUMNS, ROWS))[1]


def test_a_terminal_is_never_overrun() -> None:
    """On a terminal the last text is wrapped in what is left, and where that is little it has a line of its own."""
    wide = list(map(click.unstyle, table(COLUMNS, ROWS, 42)))
    assert wide[1] == f" 7  dead   no such channel in this\n{'':11}workspace"
    narrow = list(map(click.unstyle, table(COLUMNS, ROWS, 38)))
    assert narrow[0] == "ID  STATE\n      WHY"
    assert narrow[1:] == [" 7  dead \n      no such channel in this\n      workspace", "12  sent"]
    assert max(len(line) for text in (*wide, *narrow) for line in text.splitlines()) <= 42


def test_a_long_text_goes_on_under_its_beginning() -> None:
    """On a terminal what is long stays in its column, and what is indented stays so; a pipe gets it on one line."""
    text = "  is a finding that somebody has to read to its end"
    assert wrapped(text, 10, None) == text
    assert wrapped(text, 10, 46) == "  is a finding that somebody has to\n          read to its end"
    assert wrapped(text, 30, 46) == text
    assert wrapped("x" * 99, 10, 46) == "x" * 99


def test_a_hostile_text_does_not_steer_the_terminal() -> None:
    """Text from a vendor or an alert stays on its line and has no colours."""
    (_, line) = table(COLUMNS, [("1", "sent", "red\x1b[31m\nand more")])
    assert click.unstyle(line) == line
    assert line.endswith("red and more")


def test_a_body_is_written_byte_for_byte_but_to_a_terminal() -> None:
    """A refused payload can be written to a file unchanged, and is safe on a terminal."""
    body = b"\xff\x1b[2J{}"
    assert printable_bytes(body, to_terminal=False) == body
    assert printable_bytes(body, to_terminal=True) == "\N{REPLACEMENT CHARACTER}{}\n".encode()


def test_nothing_has_no_heading() -> None:
    """An empty list is no table."""
    assert list(table(COLUMNS, [])) == []


def test_a_time_is_in_utc_to_the_second() -> None:
    """Times of all tables look the same."""
    assert (format_time(NOW), format_time(None)) == (f"{NOW:%Y-%m-%d %H:%M:%S UTC}", "-")
