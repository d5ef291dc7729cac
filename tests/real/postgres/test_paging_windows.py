"""Pages that a shut window held back, on PostgreSQL."""

import pytest

from tests.unit.engine.jobs.test_paging_windows import *  # noqa: F403 - the same tests; only the database is another

pytestmark = pytest.mark.real
