"""The number of files that one P1 passes through stands in the docs as it is."""

from __future__ import annotations

import os
import subprocess
import sys

from scripts.count_path import BEGIN, END, LEAVES, MAX_LEAVES, PAGE, ROOT, leaves


def test_the_documented_number_of_files_is_measured() -> None:
    """A file that is added to the path of a page shows in docs/architecture.md, in the same commit."""
    command = [sys.executable, "-m", "scripts.count_path", *(["--write"] if os.environ.get("UPDATE_DOCS") else [])]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=True).stdout
    counted = [line for line in printed.splitlines() if line.startswith("|")]
    documented = PAGE.read_text().partition(BEGIN)[2].partition(END)[0].splitlines()
    assert documented == counted, "stale: run python -m scripts.count_path --write"


def test_leaf_modules_are_few_and_exist() -> None:
    """The list of files to trust by name stays short and follows renames."""
    assert len(leaves()) <= MAX_LEAVES
    assert [name for name in sorted(leaves()) if not (ROOT / name).exists()] == [], LEAVES
