"""Foreign text is cleaned, then redacted, then cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.model import text as texts
from responder.model.redaction import redact
from responder.model.text import clean, cut, one_line, sanitize, sanitize_line

BEGIN = "-----BEGIN"  # apart from the rest, so that no scanner takes this file for a leak
SECRETS = {
    "Authorization: Bearer s3cr3t-token.abc": "s3cr3t",
    "proxy-authorization: Basic dXNlcjpwYXNz": "dXNl",
    'curl -H "Authorization: token 0123456789abcdef"': "0123456789",
    "bearer mF_9.B5f-4.1JqM": "mF_9",
    "Basic dXNlcjpwYXNz": "dXNl",
    "postgres://butterfly:hunter2@db:5432/plato": "hunter2",
    "amqp://butterfly:hun@ter2@mq/": "ter2",
    "jdbc:postgresql://db/plato?user=plato&password=hunter2&ssl=true": "hunter2",
    "jdbc:sqlserver://db;password=hunter2;encrypt=true": "hunter2",
    '{"db_password": "two words hunter2", "status": "UP"}': "hunter2",
    r"{\"clientSecret\":\"two words hunter2\"}": "hunter2",
    "passwd : hunter2": "hunter2",
    "api-key=hunter2": "hunter2",
    "aws_secret_access_key = hunter2/+x": "hunter2",
    f"{BEGIN} RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----": "hunter2",
    f"{BEGIN} PRIVATE KEY-----\nhunter2 and no end": "hunter2",
    "routing_key 0123456789abcdef0123456789abcdef": "0123456789",
    "/integration/0123456789abcdef0123456789abcdef/enqueue": "0123456789",
    "Set-Cookie: session=hunter2; Path=/": "hunter2",
    "GET /blob?sv=1&sig=hunter2&se=2": "hunter2",
    "pass\u200bword=hunter2": "hunter2",
}


def test_invisible_characters_and_stacked_accents_are_taken_away() -> None:
    """Text of an alert shows what it says: nothing in it is invisible, turns it round or covers the lines around."""
    hidden = [code for code, shown in texts._TABLE.items() if shown is None and code >= 0xA0]
    assert len(hidden) > 4096
    assert [code for code in hidden if clean(f"a{chr(code)}b") != "ab"] == []
    assert clean("pass\u3164wo\u034frd \U000e0101x") == "password x"
    assert clean("o" + "\u0301" * 50 + "k") == "o" + "\u0301" * 3 + "k"
    for text in ("plato is down — 🚨 Größe", "e\u0302\u0301", "नमस्ते"):
        assert clean(text) == text


@pytest.mark.parametrize(("text", "secret"), SECRETS.items())
@pytest.mark.parametrize("limit", [20, 60, 2048])
def test_no_secret_survives_however_short_the_text_is_cut(text: str, secret: str, limit: int) -> None:
    """A secret in an alert or a response never reaches a page, wherever it stands and wherever the text ends."""
    for around in (text, f"x {text} y", f"{'x' * (limit - 8)} {text}"):
        shown = (sanitize(around, limit), sanitize_line(around, limit))
        assert not any(secret in each or secret[:4] in each for each in shown)
        assert not any(len(each) > limit for each in shown)
    assert "[REDACTED:" in sanitize(text, 2048)


@pytest.mark.parametrize(
    "text",
    [
        "basic authentication failed for plato",
        "HikariPool-1 - Connection is not available, request timed out after 30000ms",
        "tests passed: 12, monkeys: 3",
        "https://grafana.butterfly.example.com/d/plato?var-service=plato",
        "plato-7d9f 0/3 ready — exit 137 x7",
    ],
)
def test_plain_text_stays_as_it_is(text: str) -> None:
    """Redaction keeps harmless text."""
    assert redact(text) == text


@given(st.text())
def test_tidy_text_is_clean_and_short(text: str) -> None:
    """Any input gives output that fits, can be encoded, and does not change when redacted again."""
    shown = sanitize(text, 80)
    assert len(shown) <= 80
    assert shown.encode().decode() == shown
    assert clean(shown) == shown
    assert "\n" not in sanitize_line(text, 80)


@pytest.mark.parametrize("text", SECRETS)
def test_redaction_is_settled_after_once(text: str) -> None:
    """A text that passes through several hands reads the same after each."""
    assert redact(redact(text)) == redact(text)


def test_what_nobody_sees_is_removed() -> None:
    """Terminal sequences, bidi overrides and zero-width characters cannot disguise what a page says."""
    assert clean("a\x1b[31mred\x1b[0m\x1b]0;title\x07 \u202eb\u2066\u200b\ufeffc\x00\x85") == "ared bc"
    assert clean("one\r\ntwo\rthree\u2028four\tfive\ud800") == "one\ntwo\nthree\nfour five\ufffd"
    assert one_line("  a\n\n b\tc ") == "a b c"


def test_a_cut_is_announced_and_splits_nothing() -> None:
    """A shortened text says so, and neither a letter nor a redaction mark is torn in two."""
    assert cut("abcdef", 6) == "abcdef"
    assert cut("abcdef", 4) == "abc…"
    assert cut("abe\u0301f", 4) == "ab…"
    assert cut("see [REDACTED:secret] there", 14) == "see…"
    assert cut("abc", 0) == ""


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "unit",
    ["password=", "://", "-eyJ", "eyJaaaaaa.", 'token="\\"', "bearer ", "-----BEGIN A-----", "\x1b]0", "?a", "x"],
)
def test_hostile_text_costs_little(unit: str) -> None:
    """A megabyte made to confuse the patterns is redacted in time."""
    text = unit * (1_000_000 // len(unit))
    redact(clean(text))
