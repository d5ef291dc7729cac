"""Small pieces of wording in messages."""

from __future__ import annotations

import re

import pytest

from responder.model.clock import duration_in_minutes
from responder.model.message import ClaimedMessage
from responder.model.report import MessageKind, Report, Status
from responder.model.rule import Link
from responder.model.secret import Secret, scrub
from responder.notify.channels.log import Log
from responder.notify.render import slack_blocks
from responder.notify.render.plain_text import lines, rows_of
from responder.notify.render.response import ascii_only, encoded, within
from responder.notify.render.slack_messages import minimal_text
from tests.support.builders import STARTED, a_letter, a_report


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "less than a second"),
        (59.9, "59 seconds"),
        (60, "1 minute"),
        (17 * 60 + 59, "17 minutes"),
        (119 * 60, "119 minutes"),
        (185 * 60, "3 h 5 min"),
        (50 * 3600, "2 d 2 h"),
    ],
)
def test_lengths_of_time_are_in_minutes(seconds: float, words: str) -> None:
    """Durations are in minutes as the templates ask, with hours and days where minutes say little."""
    assert duration_in_minutes(seconds) == words


def test_text_is_cut_in_bytes_without_breaking_a_character() -> None:
    """A limit in bytes holds for any script."""
    assert within("abc", 3) == "abc"
    for limit in range(3, 40):
        assert len(within("é🔥" * 20, limit).encode()) <= limit


def test_json_survives_a_lone_surrogate() -> None:
    """A broken character in a label cannot stop a page."""
    assert encoded({"a": "\ud800"}) == b'{"a":"?"}'


def test_the_plain_form_is_ascii() -> None:
    """The last attempt holds nothing that could be refused for its characters."""
    assert ascii_only("a — b → c… é🔥") == "a - b -> c... ??"


def test_escaping_never_leaves_half_an_entity() -> None:
    """Cut text still reads as text."""
    for limit in range(8, 30):
        text = slack_blocks.line_of("<&>" * 20, limit)
        assert len(text) <= limit
        assert text.replace("&lt;", "").replace("&gt;", "").replace("&amp;", "").rstrip("…") == ""


@pytest.mark.parametrize(
    ("foreign", "shown", "in_ascii"),
    [
        ("*all is well*", "∗all is well∗", "* all is well *"),
        ("_a_ ~b~ (*c*)", "ˍaˍ ∼b∼ (∗c∗)", "_ a _ ~ b ~ (* c *)"),
        ("**a** __b__", "∗∗a∗∗ ˍˍbˍˍ", "* * a * * _ _ b _ _"),
        ("> quoted", "quoted", "quoted"),
        ("rate(x_total[5m]) * 100 a_b 2*3", "rate(x_total[5m]) * 100 a_b 2*3", "rate(x_total[5m]) * 100 a_b 2*3"),
        ("see https://evil.example/x", "see https://evil.example/x", "see https: //evil.example/x"),
        ("<https://evil.example|x> <!channel>", "&lt;https://evil.example|x&gt; &lt;!channel&gt;", None),
        ("`x`", "'x'", "'x'"),
    ],
)
def test_foreign_text_formats_nothing_in_slack(foreign: str, shown: str, in_ascii: str | None) -> None:
    """Text of an alert is neither bold nor a quotation, and the minimal form, which Slack parses itself, links none."""
    assert slack_blocks.line_of(foreign) == shown
    if in_ascii is not None:
        assert slack_blocks.ascii_line_of(foreign) == in_ascii
    for made in (slack_blocks.line_of(foreign), slack_blocks.ascii_line_of(foreign)):
        assert not re.search(r"(?<![A-Za-z0-9])([*_~])\S.*\S\1(?![A-Za-z0-9])|^&gt;|[<>`]", made)
    assert "://" not in slack_blocks.ascii_line_of(foreign)
    assert slack_blocks.code(foreign)[1:-1] == slack_blocks.escaped(foreign.replace("`", "'"))


def test_the_minimal_form_links_the_runbook_only() -> None:
    """Its address is checked and written as a link; addresses in foreign text are no links."""
    text = minimal_text(
        a_report(what="*see* https://evil.example/x", runbook=Link("R", "https://runbooks.example/a.md"))
    )
    assert "\nRunbook: <https://runbooks.example/a.md>" in text
    assert text.count("://") == 1
    assert "* see *" in text
    unsafe = minimal_text(a_report(runbook=Link("Runbook: R", "javascript:x")))
    assert "\nRunbook: R" in unsafe


def test_a_link_that_may_not_be_one_is_its_text() -> None:
    """A forged address is shown as words and leads nowhere."""
    assert slack_blocks.link(Link("Runbook", "javascript:alert(1)")) == "Runbook"
    assert (
        slack_blocks.link(Link("a|b>", "https://a.example.com/?x=1&y=<"))
        == "<https://a.example.com/?x=1&amp;y=%3C|a/b&gt;>"
    )


def test_too_many_blocks_are_cut_and_said() -> None:
    """Slack takes at most fifty blocks: what is left out is counted, the small print stays."""
    many = [slack_blocks.section(f"part {number}") for number in range(80)]
    kept = slack_blocks.fitted([*many, slack_blocks.context("small print")])
    assert len(kept) == 50
    assert kept[-2]["elements"][0]["text"] == "Cut to fit Slack: 32 more parts left out."
    assert kept[-1]["elements"][0]["text"] == "small print"
    wide = slack_blocks.fitted([slack_blocks.section("x" * 3000)] * 6)
    assert sum(map(slack_blocks.weight, wide)) <= slack_blocks.TOTAL_LIMIT


def test_secrets_are_scrubbed_longest_first() -> None:
    """A secret that contains another one disappears as a whole; an empty one changes nothing."""
    assert scrub("x abcdef y abc", (Secret("abc"), Secret("abcdef"), Secret(""))) == "x *** y ***"
    assert repr(Secret("abc")) == str(Secret("abc")) == f"{Secret('abc')}" == "***"


def test_the_log_shows_a_resolution() -> None:
    """On a terminal the end of an incident reads as well as its start."""
    report: Report = a_report(
        kind=MessageKind.RESOLUTION,
        status=Status.RESOLVED,
        ended_at=STARTED,
        heading="INCIDENT RESOLVED",
        fields={"Post-mortem": "due 2026-03-02 02:41 UTC"},
    )
    message: ClaimedMessage = a_letter(report, channel="log", step="print")
    text = Log().render(message).body.decode()
    assert "INCIDENT RESOLVED" in text
    assert "Post-mortem      due 2026-03-02 02:41 UTC" in text
    assert "First step" not in text


def test_a_field_with_a_long_name_stands_on_a_line_of_its_own() -> None:
    """A name of a template that is wider than the margin is not joined with its text, and is read back as one row."""
    report = a_report(fields={"Next stakeholder update": "in 30 min", "Seventeen letters": "yes:"})
    text = "\n".join(lines(report))
    assert f"\nNext stakeholder update:\n{'':17}in 30 min\n" in text
    rows = dict(rows_of(text))
    assert (rows["Next stakeholder update"], rows["Seventeen letters"]) == ("in 30 min", "yes:")
