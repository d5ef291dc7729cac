"""The fallback, on PostgreSQL."""

import pytest

from tests.unit.engine.jobs.test_fallback import *  # noqa: F403 - the same tests; only the database is another

pytestmark = pytest.mark.real
