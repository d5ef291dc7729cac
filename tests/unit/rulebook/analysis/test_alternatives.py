"""Alternatives of a regex are found wherever they are, and only there."""

from __future__ import annotations

import pytest
import re2

from responder.rulebook.mutations import without_one


@pytest.mark.parametrize(
    ("pattern", "left"),
    [
        ("a", []),
        ("a|b", ["b", "a"]),
        ("a|b|c", ["b|c", "a|c", "a|b"]),
        ("(?i)x|y", ["(?i)y", "(?i)x"]),
        ("Kube(Pod|Job)Failed", ["Kube(Job)Failed", "Kube(Pod)Failed"]),
        ("(?:a|(b|c)d)", ["(?:(b|c)d)", "(?:a)", "(?:a|(c)d)", "(?:a|(b)d)"]),
        ("(?P<x>a|b)", ["(?P<x>b)", "(?P<x>a)"]),
        ("(?i:a|b)", ["(?i:b)", "(?i:a)"]),
        ("a(?i)b|c", ["c", "a(?i)b"]),
        ("[a|b]", []),
        ("[]|a]x", []),
        ("[[:alpha:]|]", []),
        ("a\\|b", []),
        ("\\Qa|b\\E", []),
        ("\\(a|b\\)", ["b\\)", "\\(a"]),
        ("a|", ["", "a"]),
    ],
)
def test_each_alternative_is_left_out_once(pattern: str, left: list[str]) -> None:
    """A pattern without one of its alternatives is still a pattern, and lacks nothing else."""
    found = [without for _, without in without_one(pattern)]
    assert found == left
    for each in found:
        re2.compile(each.encode())
