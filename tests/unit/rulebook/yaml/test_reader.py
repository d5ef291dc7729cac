"""Rule files are read with exact positions, and nothing in a file can crash the reader."""

from __future__ import annotations

import gc
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from responder.checked_file import LARGEST_FILE_BYTES
from responder.rulebook.yaml import builder
from responder.rulebook.yaml.reader import read

SCALARS = [
    ("on", "on"),
    ("yes", "yes"),
    ("No", "No"),
    ("y", "y"),
    ("12:30:00", "12:30:00"),
    ("2026-11-23", "2026-11-23"),
    ("1_000", "1_000"),
    ("0b1", "0b1"),
    ("'1'", "1"),
    ('"true"', "true"),
    ("true", True),
    ("False", False),
    ("~", None),
    ("null", None),
    ("", None),
    ("12", 12),
    ("-7", -7),
    ("010", 10),
    ("0o17", 15),
    ("0x1F", 31),
    ("1.5", 1.5),
    (".5", 0.5),
    ("1e3", 1000.0),
    ("-.inf", -math.inf),
    ("9" * 5000, "9" * 5000),
    ("|-\n  7", "7"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_words_stay_words(text: str, value: object) -> None:
    """A country code, a time or a switch position is read as the text it is, never as something clever."""
    document = read("f.yaml", f"k: {text}\n".encode())
    assert document.problems == ()
    assert document.data == {"k": value}
    assert type(document.data["k"]) is type(value)


def test_keys_and_values_know_where_they_stand() -> None:
    """Every message about a rule file points at the very character."""
    document = read("rules/f.yaml", "# 😀\nrules:\n  - id: a\n    match: ['😀', b]\n".encode())
    assert str(document.key(("rules",))) == "rules/f.yaml:2:1"
    assert str(document.at(("rules", 0))) == "rules/f.yaml:3:5"
    assert str(document.at(("rules", 0, "id"))) == "rules/f.yaml:3:9"
    assert str(document.at(("rules", 0, "match", 1))) == "rules/f.yaml:4:18"
    assert str(document.at(("rules", 0, "missing", "deeper"))) == "rules/f.yaml:3:5"
    assert str(document.key(("rules", 0))) == "rules/f.yaml:3:5"
    assert document.line(4) == "    match: ['😀', b]"
    assert document.line(99) == ""


WRONG = [
    (b"a: 1\nb: 2\na: 3", "duplicate-key", "3:1"),
    (b"a: &x 1\nb: *x", "alias", "2:4"),
    (b"*x : 1", "alias", "1:1"),
    (b"<<: {a: 1}", "alias", "1:1"),
    (b"a: !!python/object:os.system x", "tag", "1:4"),
    (b"a: !!str 5", "tag", "1:4"),
    (b"a: !!map {}", "tag", "1:4"),
    (b"[a]: 1\nb: 2", "bad-value", "1:1"),
    (b"a:\n\t- b", "syntax", "2:1"),
    (b"a: [1", "syntax", "2:1"),
    (b"a: b: c", "syntax", "1:5"),
    (b"a: 1\n---\nb: 2", "syntax", "2:1"),
    (b"%YAML 9.9\n---\na: 1", "syntax", "1:1"),
    (b"a: b\nc: \xff", "encoding", "2:4"),
    (b"a: b\nc: \x00", "encoding", "2:4"),
    ("a: \ufffe".encode(), "encoding", "1:4"),
    ("a: b\nc: x\u202ey".encode(), "encoding", "2:5"),
    ("a: \u2066b".encode(), "encoding", "1:4"),
    ("a: se\u200bverity".encode(), "encoding", "1:6"),
    ("a: \u3164".encode(), "encoding", "1:4"),
    ("a: x\U000e0061".encode(), "encoding", "1:5"),
    ("a: o\u0301\u0302\u0303\u0304\u0305".encode(), "encoding", "1:8"),
    (b"a: " + b"x" * 70_000, "too-big", "1:4"),
    (b" " * (LARGEST_FILE_BYTES + 1), "too-big", "1:1"),
    (b"[" * 1_000_000, "too-deep", "1:33"),
    (b"- " * 100_000, "too-deep", "1:65"),
]


@pytest.mark.parametrize(("raw", "code", "position"), WRONG, ids=lambda value: str(value)[:20])
def test_what_cannot_be_read_is_a_problem_with_a_place(raw: bytes, code: str, position: str) -> None:
    """A broken rule file is named with its line, and with what to do about it."""
    [problem] = read("f.yaml", raw).problems
    assert (problem.code, str(problem.position)) == (code, f"f.yaml:{position}")
    assert problem.message
    assert problem.hint


def test_emoji_and_accents_of_languages_are_read() -> None:
    """Characters that a script or an emoji needs are no mistake."""
    text = "ế ñ 👩‍🚒 ⚠️ می‌خواهم"
    assert read("f.yaml", f"a: {text}".encode()).data == {"a": text}


def test_the_rest_of_a_file_is_read_in_spite_of_a_problem() -> None:
    """One duplicate key does not hide what else is wrong in the file."""
    document = read("f.yaml", b"a: 1\na: {x: 1}\n[q]: {y: 2}\nb: [1, *x]\n")
    assert document.data == {"a": 1, "b": [1, None]}
    assert [problem.code for problem in document.problems] == ["duplicate-key", "bad-value", "alias"]


def test_garbage_collection_is_as_before() -> None:
    """Reading rules leaves the process's memory management as it found it."""
    read("f.yaml", b"a: [")
    assert gc.isenabled()


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"\xef\xbb\xbfa: 1")
@example(b"? [a]\n: {b}\n? \n: 1")
@example(b"*a : *b")
@example(b"{[a]: 1, {b: c}: [d], *e : f}")
def test_no_bytes_crash_the_reader(raw: bytes) -> None:
    """Any content of the rule folder gives data or problems, never an exception."""
    document = read("f.yaml", raw)
    assert document.problems or document.data is None or isinstance(document.data, str | int | float | list | dict)


_SIGNS = st.sampled_from(
    ["a", "b: ", "- ", "\n", "  ", "{", "}", "[", "]", ": ", ",", "&x ", "*x", "? ", "<<: ", "'", '"', "!t ", "|", "1"]
)


@given(st.lists(_SIGNS, max_size=40))
def test_no_yaml_crashes_the_reader(signs: list[str]) -> None:
    """However keys, anchors and brackets are mixed up, the answer is data or problems."""
    document = read("f.yaml", "".join(signs).encode())
    assert all(problem.position.line >= 1 and problem.position.column >= 1 for problem in document.problems)


def test_the_deepest_nesting_is_far_beyond_what_rules_need() -> None:
    """Ordinary rule files never meet the limit on nesting."""
    assert builder.DEEPEST > 5 * 4
