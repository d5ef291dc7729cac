"""Pages that a shut window held back, on PostgreSQL."""

import pytest

from tests.unit.engine.test_windows import *  # noqa: F403 - the same tests; only the database is another

pytestmark = pytest.mark.real
