"""Wording of docstrings, comments, texts and Markdown pages, by the style rules in CONTRIBUTING.md."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Folders and pages whose texts are not rewritten yet.
PENDING = ()

#: Words with a standard term in their place. Only words that have no second, correct use in these texts.
WORDS = {
    r"arbiter": "gunicorn master",
    r"comes? again": "re-fires",
    r"could not look": "unknown, with the reason",
    r"couriers?": "sender",
    r"hears?|heard": "is sent, receives",
    r"mend(s|ed|ing)?": "fix",
    r"nobody|somebody|whoever": "the actor: on-call, a user, the client",
    r"tells|told": "notified, sent",
    r"we|our|ours": "responder",
    r"wakes? (nobody|somebody|people|on-call)|(is|are|be|was|were) woken|woke": "page",
}
WORD = re.compile(rf"(?<![\w'`./-])({'|'.join(WORDS)})(?![\w'-])", re.IGNORECASE)

#: First words of a docstring that is neither an imperative nor a noun phrase.
OPENING = re.compile(r"(Whether|What|Whatever|Who|Whoever|Whose|Whom|How|Where|When|Why)\b")

#: Lines that may keep such a word: part of the line, and the reason.
ALLOWED = {
    "nobody will be paged": "the result of a missing PagerDuty key, in the clearest words",
    "    courier      sends": "the table of loops names threads as the log does",
}

FILES = [
    path
    for each in (
        "responder/**/*.py",
        "tests/**/*.py",
        "benchmarks/*.py",
        "scripts/*.py",
        "*.md",
        "docs/**/*.md",
        "runbooks/*.md",
        "examples/*.py",
        "examples/*.md",
    )
    for path in sorted(ROOT.glob(each))
    if not path.relative_to(ROOT).as_posix().startswith(PENDING)
]
PYTHON = [path for path in FILES if path.suffix == ".py"]
PAGES = [path for path in FILES if path.suffix == ".md"]


def problems(source: str, words: bool) -> list[tuple[int, str]]:
    """Line and problem of each docstring, literal and (with ``words``) text in Python source that breaks a rule."""
    tree = ast.parse(source)
    found, docstrings, texts = [], set[int](), list[tuple[int, str]]()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for index, statement in enumerate(body if isinstance(body, list) else []):
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                literal = statement.value
                if not isinstance(literal.value, str):
                    continue
                docstrings.add(id(literal))
                texts.append((literal.lineno, literal.value))
                if index or not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    found.append((literal.lineno, "string below a constant: write a `#:` comment above it"))
                elif opening := OPENING.match(literal.value.lstrip()):
                    found.append((literal.lineno, f"docstring opens with {opening[0]!r}: start with a verb or a noun"))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            texts.append((node.lineno, node.value) if id(node) not in docstrings else (0, ""))
    if words:
        texts += [
            (token.start[0], token.string.lstrip("#: "))
            for token in tokenize.generate_tokens(io.StringIO(source).readline)
            if token.type == tokenize.COMMENT
        ]
        found += [problem for line, text in set(texts) for problem in _words(line, text)]
    return sorted(found)


def _words(line: int, text: str) -> Iterator[tuple[int, str]]:
    """Line and problem of each word in a text that has a standard term in its place."""
    for number, part in enumerate(text.splitlines(), line):
        if any(each in part for each in ALLOWED):
            continue
        for match in WORD.finditer(part):
            instead = next(term for word, term in WORDS.items() if re.fullmatch(word, match[1], re.IGNORECASE))
            yield number, f"{match[1]!r}: write {instead!r}"


def _named(path: Path, found: list[tuple[int, str]]) -> list[str]:
    """``file:line: problem`` of each problem."""
    return [f"{path.relative_to(ROOT)}:{line}: {problem}" for line, problem in found]


@pytest.mark.parametrize("folder", sorted({path.relative_to(ROOT).parent.as_posix() for path in PYTHON}))
def test_python_texts_follow_the_style(folder: str) -> None:
    """Docstrings open with a verb or noun, constants have comments, and texts of responder use the standard terms."""
    files = [path for path in PYTHON if path.parent == ROOT / folder]
    found = [_named(path, problems(path.read_text(), folder.startswith("responder"))) for path in files]
    assert not [line for lines in found for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_pages_use_the_standard_terms(page: Path) -> None:
    """Markdown pages, hand-written or generated, use the standard terms."""
    assert not _named(page, list(_words(1, page.read_text())))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('"""Whether it is well."""\n', (1, "docstring opens with 'Whether'")),
        ('def f():\n    """What\n    it does."""\n', (2, "docstring opens with 'What'")),
        ('X = 5\n"""Seconds."""\n', (2, "string below a constant")),
        ('"""Limits."""\n\n# Whoever asks.\n', (3, "'Whoever'")),
        ('"""Limits.\n\nThe page is told elsewhere.\n"""\n', (3, "'told'")),
        ('TEXT = f"{name} wakes on-call"\n', (1, "'wakes on-call'")),
    ],
)
def test_each_rule_finds_its_problem(source: str, expected: tuple[int, str]) -> None:
    """A text that breaks a rule is reported once, with its line."""
    line, problem = expected
    assert [(at, each[: len(problem)]) for at, each in problems(source, words=True)] == [(line, problem)]


def test_plain_texts_pass() -> None:
    """Identifiers, keys, paths and words that contain such a word are not reported."""
    source = '"""The ``notified`` rows of `web/courier.py`."""\n\n#: Seconds.\nX = {"told": "shoulder well-heard"}\n'
    assert not problems(source, words=True)
