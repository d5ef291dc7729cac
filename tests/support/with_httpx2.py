"""pytest plugin that puts httpx2 in httpx's place: ``pytest -p tests.support.with_httpx2``.

It replaces the module that imports the HTTP library, which is all that a migration to httpx2 would change.
"""

from __future__ import annotations

import sys
from types import ModuleType

import httpcore2
import httpx2

_library = ModuleType("responder.outgoing.library")
vars(_library).update(httpcore=httpcore2, httpx=httpx2)
sys.modules[_library.__name__] = _library


def pytest_sessionfinish() -> None:
    """Fail if httpx was loaded all the same: then the tests did not run with httpx2."""
    assert "httpx" not in sys.modules
