"""Sphinx's configuration: every page of the repository as one site, without anything from outside.

``make docs`` builds it into ``build/site``. The pages are plain Markdown, for the repository too: their order is here.
"""

import re
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]

#: Parts of the site, with patterns of their pages in order. A page belongs to the first part that matches it.
PARTS = {
    "Start": ("docs/quick-start.md", "docs/comparison.md"),
    "Guides": (
        *(f"docs/guides/{name}.md" for name in ("alertmanager", "pagerduty", "slack", "rules", "teams", "kubernetes")),
        *("docs/guides/runbooks.md", "docs/guides/operating.md", "docs/guides/*.md"),
    ),
    "Operate": (
        *("docs/alert-to-message.md", "docs/deployment/*.md", "docs/operations/*.md", "docs/monitoring/*.md"),
        *(
            "docs/console.md",
            "docs/conversation.md",
            "docs/kubernetes.md",
            "docs/performance.md",
            "docs/reliability.md",
        ),
        "runbooks/README.md",
    ),
    "Project": (
        *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md"),
        *("docs/architecture.md", "docs/decisions/README.md", "docs/lab/*.md"),
    ),
    "Reference": ("docs/reference/README.md", "docs/rules.md", "docs/reference/*.md", "docs/*.md"),
}
ORDER = ("Start", "Guides", "Reference", "Operate", "Project")
#: Pages that are listed below another page.
BELOW = {"runbooks/README": "runbooks/*.md"}
#: Pages that an index lists and the navigation does not: with them each page would carry some 170 links more.
UNLISTED = "docs/decisions/[0-9]*.md"

project = "responder"
html_title = "responder"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md", "runbooks/*.md", "examples/README.md"]
exclude_patterns = [".*", "build", "dist", "*.egg-info", "responder", "tests", "deploy", "benchmarks", "scripts"]
html_theme = "furo"
html_static_path, html_css_files = ["static"], ["site.css"]
html_extra_path = ["start"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"sidebar_hide_name": False}
myst_heading_anchors = 6
highlight_language = "none"


def _documents(pattern: str) -> list[str]:
    return [path.relative_to(ROOT).with_suffix("").as_posix() for path in sorted(ROOT.glob(pattern))]


def _lists() -> dict[str, list[str]]:
    """Return the pages of each part, without those below other pages."""
    taken = {root_doc, *(each for pattern in (*BELOW.values(), UNLISTED) for each in _documents(pattern))}
    found = {}
    for part, patterns in PARTS.items():
        pages = [each for pattern in patterns for each in _documents(pattern)]
        found[part] = [each for each in dict.fromkeys(pages) if each not in taken or each in BELOW]
        taken.update(found[part])
    return found


def _toctree(pages: list[str], options: str) -> str:
    lines = "\n".join(each if "<" in each else f"/{each}" for each in pages)
    return f"\n```{{toctree}}\n:hidden:\n{options}\n{lines}\n```\n"


def _navigate(_: Sphinx, name: str, source: list[str]) -> None:
    """Add the lists of pages, and show links to folders as text, which the site has no page for."""
    if name == root_doc:
        parts = _lists()
        parts["Start"].insert(0, "For what, and for what not <self>")
        source[0] += "".join(_toctree(parts[part], f":caption: {part}\n") for part in ORDER if parts[part])
    elif name in BELOW:
        source[0] += _toctree([each for each in _documents(BELOW[name]) if each != name], "")
    elif name in _documents(UNLISTED):
        source[0] = f"---\norphan: true\n---\n{source[0]}"
    here = (ROOT / name).parent
    source[0] = re.sub(
        r"\[([^]]+)\]\(([^):#]+)\)", lambda link: link[1] if (here / link[2]).is_dir() else link[0], source[0]
    )


def setup(app: Sphinx) -> None:
    """Register the hook that adds the navigation."""
    app.connect("source-read", _navigate)
