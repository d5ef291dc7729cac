"""Any damage to rule files is reported with its place."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from responder import bootstrap
from responder.rulebook.lint import examine
from responder.rulebook.rule_files import RuleReferences

STARTER = Path(__file__).parents[3] / "responder" / "presets" / "base"
FILES = sorted((STARTER / "rules").glob("*.yaml"))

_BILLION = "\n".join(
    ["a0: &a0 [lol, lol]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 40)), ""]
)
JUNK = (
    *(
        "\t",
        "\x00",
        "\ufeff",
        "\u2028",
        "🙂",
        "é" * 40,
        "'",
        '"',
        "|",
        ">",
        "-",
        "- - -",
        "? ",
        ":",
        "{",
        "}",
        "[",
        "]",
    ),
    *("&x", "*x", "!!python/object:os.system x", "<<: *x", "<<: {id: x}", "%YAML 1.1", "---", "...", "# ", "null", "~"),
    *(
        "-1",
        "1e999",
        ".nan",
        "0x",
        "9" * 400,
        "true",
        "2026-11-24",
        "1s",
        "-5s",
        "${x}",
        "${health",
        "{a: {b: {c: 1}}}",
    ),
    *('match: foo=~"("', "match: [1, {}]", "id: x", "x" * 70_000, "a: " * 40, "[" * 200, _BILLION),
)


@pytest.fixture(scope="module", name="around")
def what_rules_may_refer_to() -> RuleReferences:
    """The shipped probes and channels, and the starter's runbooks."""
    return bootstrap.rule_references(str(STARTER / "runbooks"))


@pytest.fixture(scope="module", name="folder")
def a_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the starting set, to be broken."""
    folder = tmp_path_factory.mktemp("fuzz") / "rules"
    shutil.copytree(STARTER / "rules", folder, ignore=shutil.ignore_patterns("tests"))
    return folder


def broken(text: str, how: str, line: int, at: int, junk: str) -> str:
    """A rule file with a random edit."""
    lines = text.splitlines(keepends=True)
    line %= len(lines)
    at %= len(lines[line]) or 1
    match how:
        case "delete":
            del lines[line]
        case "repeat":
            lines.insert(line, lines[line])
        case "swap":
            lines[line], lines[line - 1] = lines[line - 1], lines[line]
        case "cut":
            lines[line] = lines[line][:at] + "\n"
        case "insert":
            lines[line] = lines[line][:at] + junk + lines[line][at:]
        case "value":
            key, colon, _ = lines[line].partition(":")
            lines[line] = f"{key}{colon} {junk}\n"
        case "indent":
            lines[line] = " " * (at % 7) + lines[line].lstrip()
    return "".join(lines)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(FILES),
    st.sampled_from(["delete", "repeat", "swap", "cut", "insert", "value", "indent"]),
    st.integers(0, 400),
    st.integers(0, 120),
    st.sampled_from(JUNK) | st.text(max_size=30),
)
@example(FILES[0], "insert", 0, 0, _BILLION)
@example(FILES[0], "value", 3, 0, "x" * 1_000_000)
def test_a_broken_rule_file_is_named_with_its_place(
    folder: Path, around: RuleReferences, path: Path, how: str, line: int, at: int, junk: str
) -> None:
    """No slip of the hand crashes the check, and each is reported at a line and column of the file."""
    target = folder / path.name
    text = broken(path.read_text(), how, line, at, junk)
    target.write_bytes(text.encode("utf-8", "surrogatepass"))
    try:
        found = examine(folder, around, date(2026, 11, 24))
    finally:
        shutil.copy(path, target)
    longest = 1 + max(len(each.splitlines()) for each in (text, *(other.read_text() for other in FILES)))
    for problem in found.problems:
        assert problem.message
        assert problem.position.path.startswith(("rules/", str(folder)))
        assert 1 <= problem.position.line <= longest
        assert problem.position.column >= 1
    assert found.book is not None or found.errors
