"""Comparison of output with the expected block."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from responder.runbooks.expected import MOST_LINES, Comparison, Output, Result, compare, problem_of

PODS = Output(
    "NAME      READY   STATUS             RESTARTS     AGE\n"
    "plato-0   1/1     Running            0            4d\n"
    "plato-1   0/1     CrashLoopBackOff   7 (2m ago)   4d\n"
)
VALUES = {"service": "plato"}


@pytest.mark.parametrize(
    ("match", "lines"),
    [
        ("contains", ["{{ service }}-* 1/1 Running *"]),
        ("contains", ["NAME READY …", "", "<…> CrashLoopBackOff 7"]),
        ("lines", ["NAME* (glob)", "plato-? * (glob+)"]),
        ("lines", ["NAME* (glob)", "plato-0 1/1 Running 0 4d (glob)", r"plato-\d .* (regex)"]),
        ("glob", ["NAME *", "{{service}}-* (+)"]),
        ("glob", ["* (*)"]),
        ("glob", ["HEAD (?)", "NAME *", "plato-* (*)", "nexus-* (*)"]),
        ("regex", ["NAME.*", "plato-[0-9] .*(+)"]),
        ("exact", PODS.text.splitlines()),
        ("exit:0", []),
        ("none", []),
    ],
)
def test_output_as_expected_matches(match: str, lines: list[str]) -> None:
    """Every mode accepts the output that its block describes."""
    assert problem_of(match, lines) == ""
    assert compare(match, lines, PODS, VALUES) == Comparison(Result.MATCH)


@pytest.mark.parametrize(
    ("match", "lines", "difference"),
    [
        (
            "contains",
            ["{{ service }}-* 2/2 Running *"],
            "expected 'plato-* 2/2 Running *', got 'plato-0 1/1 Running 0 4d'",
        ),
        (
            "lines",
            ["NAME* (glob)", "plato-* 1/1 Running * (glob+)"],
            "line 3 is 'plato-1 0/1 CrashLoopBackOff 7 (2m ago) 4d', expected 'plato-* 1/1 Running *'",
        ),
        (
            "glob",
            ["NAME *", "plato-*"],
            "line 3 is 'plato-1 0/1 CrashLoopBackOff 7 (2m ago) 4d', expected no more lines",
        ),
        ("glob", ["* (+)", "nexus-*"], "the output ends after 3 lines, expected 'nexus-*'"),
        ("exit:1", [], "exit status 0, expected 1: 'NAME READY STATUS RESTARTS AGE'"),
        ("json:status==UP", [], "the output is not JSON"),
    ],
)
def test_a_difference_is_shown_in_one_line(match: str, lines: list[str], difference: str) -> None:
    """A mismatch names what was expected, and the line that is most like it."""
    assert compare(match, lines, PODS, VALUES) == Comparison(Result.MISMATCH, difference)


@pytest.mark.parametrize(
    ("path", "result"),
    [
        ("json:status==UP", Result.MATCH),
        ("json:components.db.status==UP", Result.MATCH),
        ("json:list.0==1", Result.MATCH),
        ("json:list.1==1", Result.MISMATCH),
        ("json:status.none==UP", Result.MISMATCH),
    ],
)
def test_a_value_of_json_is_compared(path: str, result: Result) -> None:
    """The value at a dotted path decides, not the order of the keys."""
    output = Output('{"components": {"db": {"status": "UP"}}, "list": [1], "status": "UP"}')
    assert compare(path, [], output, {}).result is result


def test_a_failed_command_is_no_match() -> None:
    """Words that are there by chance do not make a failed command succeed; a runbook may expect the failure."""
    failed = Output('Error from server (NotFound): pods "plato-0" not found', 1)
    assert compare("contains", ["plato-0"], failed, {}).result is Result.MISMATCH
    assert compare("lines", ["Error from server (NotFound): * (glob)", "[1]"], failed, {}).result is Result.MATCH


def test_a_cut_output_is_no_mismatch() -> None:
    """A line that is missing in a cut output may have been in the rest."""
    assert compare("contains", ["z"], Output("a", cut=True), {}).result is Result.UNKNOWN
    assert compare("contains", ["a"], Output("a", cut=True), {}).result is Result.MATCH


@pytest.mark.parametrize(
    ("match", "lines", "word"),
    [
        ("similar", ["x"], "unknown match"),
        ("regex", ["(("], "invalid regex"),
        ("lines", ["(a{1000}){1000} (regex)"], "invalid regex"),
        ("contains", [" "], "is empty"),
        ("glob", ["x"] * (MOST_LINES + 1), "at most"),
    ],
)
def test_what_cannot_be_compared_is_unknown(match: str, lines: list[str], word: str) -> None:
    """A block without a meaning is neither a match nor a mismatch, and the linter can say so."""
    assert word in problem_of(match, lines)
    assert compare(match, lines, PODS, {}).result is Result.UNKNOWN


def test_a_value_is_no_pattern() -> None:
    """A value of the catalog stands for itself in patterns of every kind."""
    for match, line in (("contains", "{{ service }}"), ("glob", "{{ service }}"), ("regex", "{{ service }}")):
        assert compare(match, [line], Output("aXb"), {"service": "a.b"}).result is Result.MISMATCH
        assert compare(match, [line], Output("a.b"), {"service": "a.b"}).result is Result.MATCH


_TEXT = st.text(st.sampled_from("ab *?(){}[]+\\.…<>|^$é\x00"), max_size=20)


@given(
    st.sampled_from(["contains", "lines", "exact", "glob", "regex", "none", "exit:0", "json:a==b", "x"]),
    st.lists(_TEXT, max_size=6),
    st.lists(_TEXT, max_size=6),
)
def test_any_block_and_any_output_can_be_compared(match: str, lines: list[str], output: list[str]) -> None:
    """Comparison raises nothing, and says in one short line why there is no match."""
    found = compare(match, lines, Output("\n".join(output)), VALUES)
    assert (found.difference == "") is (found.result is Result.MATCH)
    assert "\n" not in found.difference
    assert len(found.difference) < 400


@given(st.lists(_TEXT.filter(str.strip), min_size=1, max_size=6))
def test_an_output_is_what_it_is(lines: list[str]) -> None:
    """The output of a command, taken as its expected block, matches exactly."""
    assert compare("exact", lines, Output("\n".join(lines)), {}).result is Result.MATCH


@pytest.mark.parametrize(
    ("match", "line"),
    [
        ("regex", "(a*)*b (+)"),
        ("glob", "*a*a*a*a*a*a*a*b (*)"),
        ("contains", "*a*a*a*a*a*a*b"),
        ("lines", "a* (glob*)"),
    ],
)
def test_no_pattern_takes_long(match: str, line: str) -> None:
    """Patterns that take other engines exponential time are linear, with all the lines that are allowed."""
    output = Output("\n".join(["a" * 63] * 1000))
    began = time.process_time()
    compare(match, [line] * 20, output, {})
    assert time.process_time() - began < 3.0
