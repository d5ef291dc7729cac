"""Alertmanager's own tool routes generated label sets through generated matchers; responder must agree on every one."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest

from responder.model.rule import MatcherError
from responder.triage import matchers_classic
from responder.triage.matchers import matches, parse, predicate
from tests.real.conftest import need

pytestmark = pytest.mark.real

ROUTES = 240
LABEL_SETS = 300
NAMES = ("alertname", "service", "namespace", "severity", "pod", "a:b", "_x")
WORDS = (
    "",
    "plato",
    "plato-1",
    "Plato",
    "api|web",
    "a.b",
    "a b",
    "x,y",
    "ä🙂",
    "back\\slash",
    'a"b',
    "two\nlines",
    "٣",
    "7",
)
PATTERNS = (
    *("plato", "plato.*", ".*", ".+", "", "plato|nexus", "pl(at)?o(-[0-9]+)?", "(?i)PLATO", "[^-]+", "a.b", "a\\.b"),
    *("\\d", "\\w+", "[[:alpha:]]+", "\\pL+", "\\Qa.b\\E", "(?s)two.lines", "two.lines", "x,y", "^plato$", "a|", "\\s"),
    *("(?P<n>plato)", "\\x{1F642}", "ä.", "[a-z]{5}", "plato$|nexus", "(a+)+b", "\\bplato\\b", "back\\\\slash", 'a"b'),
    *("(", "a{1001}", "(?=a)", "*"),
)


def quoted(value: str) -> str:
    """A value as written in Alertmanager's configuration."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def a_matcher(chance: random.Random) -> str:
    """A matcher, mostly well-formed; sometimes without quotes, in braces or with an unknown escape."""
    operator = chance.choice(("=", "!=", "=~", "!~"))
    value = chance.choice(PATTERNS if "~" in operator else WORDS)
    shape = chance.random()
    if shape < 0.15:
        written = value
    elif shape < 0.3:
        written = f'"{value}"'
    else:
        written = quoted(value)
    space = chance.choice(("", "", " "))
    return f"{chance.choice(NAMES)}{space}{operator}{space}{written}"


def a_list(chance: random.Random) -> str:
    """One to three matchers in one text."""
    text = ", ".join(a_matcher(chance) for _ in range(chance.choice((1, 1, 2, 3))))
    return f"{{{text}}}" if chance.random() < 0.2 else text


def configuration(folder: Path, lists: dict[str, str]) -> Path:
    """An Alertmanager whose every route has a receiver of its own and lets the others look too."""
    routes = [{"receiver": name, "continue": True, "matchers": [text]} for name, text in lists.items()]
    receivers = [{"name": name} for name in ("nobody", *lists)]
    path = folder / "alertmanager.yml"
    written = {"route": {"receiver": "nobody", "routes": routes}, "receivers": receivers}
    path.write_text(json.dumps(written, ensure_ascii=False))  # JSON is YAML, but for escaped surrogates
    return path


def amtool(*words: str) -> subprocess.CompletedProcess[str]:
    """Run Alertmanager's tool."""
    return subprocess.run(["amtool", *words], capture_output=True, text=True, check=False, timeout=60)


def accepted(folder: Path, text: str) -> bool:
    """True if Alertmanager accepts a list of matchers."""
    return amtool("check-config", str(configuration(folder, {"r": text}))).returncode == 0


def readable(text: str) -> bool:
    """True if the classic parser accepts it: Debian's Alertmanager has no other."""
    try:
        for matcher in matchers_classic.parse(text):
            predicate(matcher)
    except MatcherError:
        return False
    return True


def test_generated_routes_match_as_in_alertmanager(tmp_path: Path) -> None:
    """An alert meets a rule here exactly when Alertmanager's own tool says that it meets the same route there."""
    need("amtool")
    chance = random.Random(19)
    candidates = [text for text in (a_list(chance) for _ in range(2 * ROUTES)) if readable(text)]
    lists = {f"r{number}": text for number, text in enumerate(candidates[:ROUTES])}
    assert len(lists) == ROUTES
    path = configuration(tmp_path, lists)
    checked = amtool("check-config", str(path))
    assert checked.returncode == 0, checked.stdout + checked.stderr
    met = 0
    for _ in range(LABEL_SETS):
        labels = {name: chance.choice(WORDS) for name in chance.sample(NAMES, chance.randrange(len(NAMES)))}
        said = amtool(
            "config", "routes", "test", f"--config.file={path}", *(f"{n}={quoted(v)}" for n, v in labels.items())
        )
        assert said.returncode == 0, said.stderr
        theirs = set(said.stdout.strip().split(",")) - {"nobody"}
        ours = {name for name, text in lists.items() if all(matches(matcher, labels) for matcher in parse(text))}
        assert ours == theirs, [(labels, lists[name]) for name in ours ^ theirs]
        met += len(ours)
    assert met > LABEL_SETS


def test_what_alertmanager_refuses_we_refuse(tmp_path: Path) -> None:
    """A text that Alertmanager cannot read as matchers is no rule here either, and the other way round."""
    need("amtool")
    chance = random.Random(23)
    texts = [a_list(chance) for _ in range(ROUTES)] + ["a", "=x", "a!b", 'a="b', 'a="b"c"', "a=b,,c=d", "{a=b", "a=b}"]
    wrong = {text for text in texts if readable(text) != accepted(tmp_path, text)}
    assert not wrong, wrong
    assert 10 < sum(not readable(text) for text in texts) < len(texts) - 100
