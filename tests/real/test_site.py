"""The site of the documentation, built as ``make docs`` does."""

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: What a browser loads with a page: not the links that a reader may follow.
LOADED = re.compile(r"""<(?:script|img|iframe)\b[^>]*\bsrc="([^"]+)"|<link\b[^>]*\bhref="([^"]+)"|url\(([^)]+)\)""")


@pytest.mark.skipif(find_spec("sphinx") is None, reason="needs Sphinx: make setup-dev")
@pytest.mark.timeout(600)
def test_the_site_is_built_without_a_warning_and_loads_nothing_from_outside(tmp_path: Path) -> None:
    """Each page is in the navigation, each link leads somewhere, and a browser asks no other host."""
    command = ["-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", "-c", "docs/site", ".", str(tmp_path)]
    found = subprocess.run([sys.executable, *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")
    for page in (*tmp_path.rglob("*.html"), *tmp_path.rglob("*.css")):
        loaded = {each for found in LOADED.findall(page.read_text()) for each in found}
        assert not [each for each in loaded if re.match(r"[\"']?(https?:)?//", each)], page
    assert all((tmp_path / page.relative_to(ROOT)).with_suffix(".html").exists() for page in ROOT.glob("docs/**/*.md"))
