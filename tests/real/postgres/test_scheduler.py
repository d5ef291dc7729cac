"""The engine's own tests, on PostgreSQL."""

import pytest

from tests.unit.engine.jobs.test_scheduler import *  # noqa: F403 - the same tests; only the database is another

pytestmark = pytest.mark.real
