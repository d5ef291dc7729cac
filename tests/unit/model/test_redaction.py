"""Redaction, measured on lists of secrets and of harmless strings, and on text made to slow it down."""

from __future__ import annotations

import html
import json
import re
import string
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from urllib.parse import quote

import pytest

from responder.model.redaction import MARK, REDACTIONS, redact
from responder.model.text import clean, one_line, sanitize, sanitize_line

LISTS = Path(__file__).parent / "redaction"
ALPHABETS = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "b64": string.ascii_letters + string.digits + "+/",
    "base32": string.ascii_uppercase + "234567",
    "bech": "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L",
    "digits": string.digits,
    "hex": "0123456789abcdef",
    "HEX": "0123456789ABCDEF",
    "lower": string.ascii_lowercase + string.digits,
    "upper": string.ascii_uppercase + string.digits,
    "url": string.ascii_letters + string.digits + "-_",
}
#: Characters: a piece of a secret of this length must not be left.
PIECE = 6

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "on one line": one_line,
    "inside a sentence": lambda text: f"error ({text}) at db",
    "in a log line": lambda text: f"2026-11-24 ERROR plato: {text}",
    "in JSON": lambda text: json.dumps({"message": text}, ensure_ascii=False),
    "in JSON in JSON": lambda text: json.dumps(json.dumps({"m": text}, ensure_ascii=False), ensure_ascii=False),
    "in a label": lambda text: (
        '{message="' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"}'
    ),
    "in HTML": html.escape,
    "percent-encoded": quote,
}


def examples(name: str) -> Iterator[str]:
    """The lines of a list with what stands for made-up characters filled in, always alike."""
    for line in (LISTS / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield _filled(line)


def _filled(line: str) -> str:
    random = Random(line)

    def characters(found: re.Match[str]) -> str:
        kind, _, count = found[1].partition(":")
        return "".join(random.choices(ALPHABETS[kind], k=int(count))) if kind else ""

    return clean(re.sub("‹([^›]*)›", characters, line.replace("⏎", "\n")))


def leaks(example: str, form: Callable[[str], str]) -> bool:
    """True if a piece of a secret, marked by « and », is left after redaction."""
    shown = re.sub(r"\[REDACTED:[a-z-]+\]", "", redact(form(re.sub("[«»]", "", example))))
    around = form(re.sub("«[^»]*»", "", example))
    return any(
        (piece := secret[at : at + PIECE]) in shown and piece not in around
        for secret in re.findall("«([^»]*)»", example)
        for at in range(max(1, len(secret) - PIECE + 1))
    )


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_at_least_95_of_100_secrets_are_found(form: Callable[[str], str]) -> None:
    """Secrets are found in every form that logs and payloads give them: the floor is 95 %, and the lists have all."""
    secrets = list(examples("secrets.txt"))
    missed = [each for each in secrets if leaks(each, form)]
    assert len(secrets) >= 150
    assert len(missed) <= 0.05 * len(secrets)
    assert missed == []


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_at_most_3_of_100_harmless_texts_are_changed(form: Callable[[str], str]) -> None:
    """Names of objects, counters, identifiers and prose stay readable: 3 % may change at most."""
    harmless = [form(each) for each in examples("harmless.txt")]
    changed = [each for each in harmless if redact(each) != each]
    assert len(harmless) >= 100
    assert len(changed) <= 0.03 * len(harmless)
    assert len(changed) <= 2, changed


def test_redaction_is_settled_after_once() -> None:
    """A text that passes through several hands reads the same after each."""
    for each in examples("secrets.txt"):
        once = redact(re.sub("[«»]", "", each))
        assert redact(once) == once


def test_every_mark_names_a_known_type() -> None:
    """The types of the marks are those that the metric has."""
    shown = " ".join(redact(re.sub("[«»]", "", each)) for each in examples("secrets.txt"))
    assert set(re.findall(r"\[REDACTED:([a-z-]+)\]", shown)) == REDACTIONS


@pytest.mark.parametrize("limit", [40, 200])
def test_text_is_redacted_before_it_is_cut(limit: int) -> None:
    """However short a text is shown, no half of a secret is left at its end."""
    for each in examples("secrets.txt"):
        text = re.sub("[«»]", "", each)
        around = re.sub("«[^»]*»", "", each)
        for shown in (
            sanitize(text, limit),
            sanitize_line(text, limit),
            sanitize(f"{'x' * (limit - 20)} {text}", limit),
        ):
            plain = re.sub(r"\[REDACTED:[a-z-]+\]", "", shown)
            begins = [secret[:PIECE] for secret in re.findall("«([^»]*)»", each)]
            assert [begin for begin in begins if begin in plain and begin not in around] == []
            assert MARK not in plain


HOSTILE = (
    *(
        "password=",
        "password:\n",
        "password: |\n",
        'password="',
        "password='",
        'password=\\"a',
        "password={",
        "password...",
    ),
    *(
        "key=",
        "key=key",
        "key: ",
        "pwd=a ",
        "password is ",
        "password for a ",
        "passphrase: aaa bbb ",
        "name=password;value=",
    ),
    *("<password>", "<password><![CDATA[", "<a:password x=", "secret=a-", "secret=a.b/", "token."),
    *("://", "://a:", "://a:@", "@", "https://a:b@c ", "?key=aaaaaaaaaaaaaaaaaaaaaaaa&", "/hook/aaaaaaaaaaaaaaaa/"),
    *("cookie: a=", "authorization: a=", "authorization: digest a=b,", "bearer ", "basic ", "mysql -p", "-u a:b "),
    *("-----BEGIN PRIVATE KEY-----", "AAAAAAAAAAAAAAAAAAA -----END PRIVATE KEY----- ", "eyJaaaaaa.", "AAAA+", "A-a.a-"),
    *(
        "sk-aaaaaaaa",
        "glc_aaaaaaaa",
        "1//0aaaaaaaa",
        "a==",
        " $1$aaaaaaaa",
        "%41",
        "%2541",
        "&quot;",
        "İ",
        "密password=密",
    ),
)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", HOSTILE)
def test_the_time_is_linear_in_the_text(unit: str) -> None:
    """Four times as much of a text made to confuse the patterns costs about four times as much, not sixteen times."""

    def seconds(characters: int) -> float:
        text = unit * (characters // len(unit))
        best = 1e9
        for _ in range(3):
            begun = time.process_time()
            redact(text)
            best = min(best, time.process_time() - begun)
        return best

    assert seconds(64_000) < 8 * seconds(16_000) + 0.005
