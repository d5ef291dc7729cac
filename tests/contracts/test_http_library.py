"""The HTTP library can be replaced by its maintained successor: one module imports it, and the same tests pass."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = "tests/unit/outgoing"
TESTS = tuple(f"{FOLDER}/test_{name}.py" for name in ("outgoing", "bearer", "proxy"))
CLIENTS = {"httpx", "httpcore", "httpx2", "httpcore2", "http.client", "urllib.request"}


def _imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return found


def test_one_module_imports_an_http_library() -> None:
    """Every outgoing request has the deadline, the cap and the checks of one client, and one import decides which."""
    importers = [
        str(path.relative_to(ROOT)) for path in sorted((ROOT / "responder").rglob("*.py")) if _imports(path) & CLIENTS
    ]
    assert importers == ["responder/outgoing/library.py"]


def test_the_same_tests_pass_with_httpx2() -> None:
    """Changing the imports in responder/outgoing/library.py is the whole migration to httpx2."""
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "-p", "tests.support.with_httpx2", *TESTS]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
