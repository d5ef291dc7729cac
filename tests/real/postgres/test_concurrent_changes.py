"""Rules, channels and clocks that change under way, on PostgreSQL."""

import pytest

from tests.unit.engine.workers.test_concurrent_changes import *  # noqa: F403 - the same tests; only the database is another

pytestmark = pytest.mark.real
