"""The engine's own tests, on PostgreSQL."""

import pytest

from tests.unit.engine.workers.test_triage_lock import *  # noqa: F403 - the same tests; only the database is another

pytestmark = pytest.mark.real
