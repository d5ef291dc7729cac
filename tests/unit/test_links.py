"""Links of the documentation: files, headings as GitHub names them, and the form of external addresses. No network."""

import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from responder.runbooks.markdown import Markdown, read

ROOT = Path(__file__).parents[2]
PAGES = [
    path
    for pattern in ("*.md", "docs/**/*.md", "runbooks/**/*.md", "examples/**/*.md", "deploy/**/*.md", "benchmarks/*.md")
    for path in sorted(ROOT.glob(pattern))
]
#: A page of the documentation in a message, comment or docstring, with its section.
MENTION = re.compile(r"(?<![\w./-])docs/[\w./-]*\.md(?:#[\w-]+)?")
MENTIONING = [
    path
    for pattern in ("responder/**/*.py", "scripts/*.py", "deploy/**/*.y*ml", "rules/*.yaml", "Dockerfile", "Makefile")
    for path in sorted(ROOT.glob(pattern))
]


@cache
def _read(path: Path) -> Markdown:
    return read(path.read_text())


def problem(target: str, page: Path) -> str:
    """Return why a link of a page leads nowhere; empty if it does not."""
    address = urlsplit(target)
    if address.scheme == "mailto":
        return ""
    if address.scheme == "http" and "." not in address.netloc:
        return ""  # an example of a name inside of a network
    if address.scheme or address.netloc:
        if address.scheme != "https":
            return "an external address begins with https://"
        if address.username or not re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}(:\d+)?", address.netloc.lower()):
            return "not the address of a public host"
        return "" if re.fullmatch(r"[!-~]+", target) else "characters that an address must escape"
    path = (page.parent / unquote(address.path)).resolve() if address.path else page
    if not path.is_relative_to(ROOT) or not path.exists():
        return "no such file in the repository"
    if not address.fragment or (path.suffix == ".md" and unquote(address.fragment) in _read(path).anchors):
        return ""
    return "no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    """Every link and image leads to a file of the repository and a heading in it, or is an https address."""
    found = [(link, problem(link.target, page)) for link in _read(page).links]
    assert not [f"{page.relative_to(ROOT)}:{link.line}: {link.target}: {why}" for link, why in found if why]


def test_the_readme_is_short_and_begins_with_what_a_visitor_wants() -> None:
    """The first screen says what responder is, how to start it and how a page looks."""
    lines = (ROOT / "README.md").read_text().splitlines()
    first = "\n".join(lines[:16])
    assert len(lines) <= 150
    assert all(each in first for each in ("Alertmanager", "pipx install", "responder demo", "![A page in Slack"))


def test_every_mention_of_a_page_leads_somewhere() -> None:
    """Messages, comments and docstrings that send a reader to a page name a page and a section that exist."""
    mentions = [(path, found) for path in MENTIONING for found in MENTION.findall(path.read_text())]
    assert mentions
    assert not [f"{path.relative_to(ROOT)}: {found}" for path, found in mentions if problem(found, ROOT / "README.md")]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("docs/quick-start.md#see-pages", ""),
        ("docs/quick-start.md#no-such-section", "no such heading"),
        ("docs/no-such-page.md", "no such file in the repository"),
        ("../README.md", "no such file in the repository"),
        ("Makefile#L3", "no such heading"),
        ("https://prometheus.io/docs/alerting/latest/configuration/#webhook_config", ""),
        ("http://holmes:8080/api/chat", ""),
        ("http://prometheus.io", "an external address begins with https://"),
        ("https://user@example.com/", "not the address of a public host"),
        ("https://prometheus:9090/", "not the address of a public host"),
        ("https://example.com/ä", "characters that an address must escape"),
    ],
)
def test_each_kind_of_dead_link_is_found(target: str, expected: str) -> None:
    """A link that leads nowhere is reported with its reason."""
    assert problem(target, ROOT / "README.md") == expected
